"""Less work never takes longer: fewer channels and fewer pixels, on every profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.latency_aside import FOLDER as ASIDE
from edgekit.catalog import load_catalog
from edgekit.models import load_model
from edgekit.models.zoo import entries, resolve
from edgekit.simulation.layer import Layer
from edgekit.simulation.layers import layers_of
from edgekit.simulation.predict import constants_ms
from edgekit.simulation.published import FOLDER, layers_in
from edgekit.simulation.work import Work

SPEEDS = tuple(
    (profile.id, speed) for profile in load_catalog().profiles.values() for speed in profile.speeds
)
CONSTANTS = np.array([constants_ms(speed) for _, speed in SPEEDS])
_IMAGE = 4
"""Channels that an image may have; they stay."""
TOKENS, SIDE = 64, 320
SHAPES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "minilm": {"input_ids": (1, TOKENS)},
    "minilm-int8": {"input_ids": (1, TOKENS)},
    "minilm-sentiment": {"input_ids": (1, TOKENS)},
    "ppocrv4-cls": {"x": (1, 3, 48, 192)},
    "ppocrv4-det": {"x": (1, 3, SIDE, SIDE)},
    "ppocrv4-rec": {"x": (1, 3, 48, SIDE)},
}
"""Of the zoo's models that leave them free."""


def latencies_ms(layers: Sequence[Layer]) -> NDArray[np.float64]:
    """By every constant of every profile."""
    work = Work.of(layers)
    terms = np.array([work.on(speed.runtime) for _, speed in SPEEDS])
    return np.asarray((CONSTANTS * terms).sum(axis=1))


def not_faster(less: Sequence[Layer], more: Sequence[Layer]) -> list[str]:
    """Where what should be the faster one is not."""
    first, second = latencies_ms(less), latencies_ms(more)
    return [
        f"{board} {speed.runtime} {speed.precision} {speed.threads}: {one:.4g} ms, not below {other:.4g}"
        for (board, speed), one, other in zip(SPEEDS, first, second, strict=True)
        if one >= other
    ]


def narrower(layer: Layer) -> Layer:
    """With half the channels."""
    given = layer.in_channels if layer.in_channels <= _IMAGE else layer.in_channels // 2
    made = max(layer.out_channels // 2, 1)
    if layer.kind == "matmul":  # rows times rows: what is narrower is what they are compared by
        return replace(layer, in_channels=given, macs=layer.macs // 2, reads=layer.reads // 2)
    if not layer.in_channels:
        return replace(layer, reads=layer.reads // 2, writes=layer.writes // 2)
    read, written = given / layer.in_channels, made / layer.out_channels
    products = written if layer.kind == "depthwise" else read * written
    return replace(
        layer,
        in_channels=made if layer.kind == "depthwise" else given,
        out_channels=made,
        macs=round(layer.macs * products),
        weights=round(layer.weights * products),
        reads=round(layer.reads * (written if layer.kind == "depthwise" else read)),
        writes=round(layer.writes * written),
    )


def smaller(layer: Layer) -> Layer:
    """On a map of half the side, where there is a map."""
    if layer.in_channels and layer.writes <= layer.out_channels:
        return layer
    return replace(layer, macs=layer.macs // 4, reads=layer.reads // 4, writes=layer.writes // 4)


def shapes() -> Iterator[tuple[str, ...]]:
    """Names of one architecture, each more work than the one before: published ones, in their authors' own shapes."""
    for family, widths, sides in (
        ("mobilenet_v1", ("0.25", "0.5", "0.75", "1.0"), (128, 160, 192, 224)),
        ("mobilenet_v2", ("0.35", "0.5", "0.75", "1.0"), (96, 128, 160, 192, 224)),
    ):
        for side in sides:
            yield tuple(f"{family}_{width}_{side}" for width in widths)
        for width in widths:
            yield tuple(f"{family}_{width}_{side}" for side in sides)
    yield "mobilenet_v2_1.0_224", "mobilenet_v2_1.3_224", "mobilenet_v2_1.4_224"
    for size in ("small", "large"):
        yield f"mobilenet_v3_{size}_0.75_224", f"mobilenet_v3_{size}_1.0_224"
        yield tuple(f"paddle/MobileNetV3_{size}_x{width}" for width in ("0_35", "0_5", "0_75", "1_0", "1_25"))
    yield tuple(f"paddle/MobileNetV2_x{width}" for width in ("0_25", "0_5", "0_75", "1_0", "1_5", "2_0"))
    yield tuple(f"paddle/GhostNet_x{width}" for width in ("0_5", "1_0", "1_3"))
    yield tuple(f"paddle/ESNet_x{width}" for width in ("0_25", "0_5", "0_75", "1_0"))
    yield "yolov6n", "yolov6s", "yolov6m"
    yield "yolov8n", "yolov8s", "yolov8m"
    yield "yolov8n-seg", "yolov8s-seg", "yolov8m-seg"
    yield "yolov10n", "yolov10s"
    yield "qai/quicksrnetsmall", "qai/quicksrnetmedium", "qai/quicksrnetlarge"
    yield "qai/resnet18", "qai/resnet50", "qai/resnet101"


MEASURED: Mapping[str, Sequence[Layer]] = {**layers_in(FOLDER), **layers_in(ASIDE)}


@pytest.mark.parametrize("names", list(shapes()), ids=lambda names: names[0])
def test_a_larger_shape_of_one_architecture_takes_longer(names: tuple[str, ...]) -> None:
    for less, more in pairwise(names):
        assert not not_faster(MEASURED[less], MEASURED[more])


HALVES = {"width": narrower, "side": smaller}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_half_of_any_measured_model_takes_less(half: Callable[[Layer], Layer]) -> None:
    found = {name: not_faster([half(layer) for layer in layers], layers) for name, layers in MEASURED.items()}
    assert not {name: where for name, where in found.items() if where}


@pytest.mark.network
@pytest.mark.parametrize(
    "model_id",
    [
        model_id
        if model_id in ("blazeface", "efficientnet-lite0")
        else pytest.param(model_id, marks=pytest.mark.thorough)
        for model_id in sorted(entries())
    ],
)
def test_half_of_a_zoo_model_takes_less(model_id: str) -> None:
    layers = layers_of(load_model(resolve(model_id), SHAPES.get(model_id)))
    for half in HALVES.values():
        assert not not_faster([half(layer) for layer in layers], layers)


@pytest.mark.network
@pytest.mark.parametrize(
    ("model_id", "less"),
    [
        *(
            pytest.param(model_id, {"input_ids": (1, TOKENS // 2)}, marks=pytest.mark.thorough)
            for model_id in SHAPES
            if "minilm" in model_id
        ),
        ("ppocrv4-det", {"x": (1, 3, SIDE // 2, SIDE // 2)}),
        pytest.param("ppocrv4-cls", {"x": (1, 3, 48, 96)}, marks=pytest.mark.thorough),
        pytest.param("ppocrv4-rec", {"x": (1, 3, 48, SIDE // 2)}, marks=pytest.mark.thorough),
    ],
)
def test_a_smaller_input_takes_less(model_id: str, less: Mapping[str, tuple[int, ...]]) -> None:
    """The files themselves, where they leave their inputs' shapes free."""
    small, large = (layers_of(load_model(resolve(model_id), shapes)) for shapes in (less, SHAPES[model_id]))
    assert not not_faster(small, large)
