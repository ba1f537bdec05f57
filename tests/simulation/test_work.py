"""Qualcomm's NPU computes whole blocks of 32 channels; other runtimes what is there."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.simulation.layer import Layer, plain, product
from edgekit.simulation.terms import NAMES, terms_of
from edgekit.simulation.work import Work, work_by_layer
from scripts.branches import Branches, Feature


def named(layers: list[Layer], runtime: str = "qnn") -> dict[str, float]:
    found = dict(zip(NAMES, Work.of(layers).on(runtime).tolist(), strict=True))
    return {name: value for name, value in found.items() if value}


def convolution(channels: int, made: int, *, depthwise: bool = False) -> Layer:
    net = Branches(8)
    net.of(Feature(channels, 8), made, 3, depthwise=depthwise)
    return net.layers[0]


def test_three_channels_take_what_thirty_two_take() -> None:
    whole = convolution(32, 64)
    assert named([convolution(3, 48)]) == named([convolution(32, 64)])
    assert named([whole]) == {
        "conv": whole.macs, "weights": whole.weights, "product_in": whole.reads + whole.writes, "operators": 1,
    }  # fmt: skip


def test_depthwise_layers_are_filled_once() -> None:
    assert named([convolution(48, 48, depthwise=True)]) == named([convolution(64, 64, depthwise=True)])


def test_of_products_the_columns_are_filled_and_no_rows() -> None:
    wide = product(macs=10 * 64 * 96, reads=10 * 64, writes=10 * 96, columns=96, is_constant=True)
    few = product(macs=10 * 64 * 70, reads=10 * 64, writes=10 * 70, columns=70, is_constant=True)
    assert named([few])["linear"] == named([wide])["linear"] == wide.macs
    assert named([few])["product_in"] == pytest.approx(10 * 64 + 10 * 96)


def test_other_runtimes_count_as_ever_and_layers_add_up() -> None:
    layers = [convolution(3, 48), convolution(48, 48, depthwise=True), plain("pool", reads=64, writes=16)]
    assert np.array_equal(Work.of(layers).on("ncnn"), terms_of(layers))
    for runtime in ("ncnn", "qnn"):
        assert work_by_layer(layers, runtime).sum(axis=0) == pytest.approx(Work.of(layers).on(runtime))
