"""Dilated convolutions are read from every format, and marked where too few models with them were measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.catalog import load_catalog
from edgekit.catalog_schema import Profile
from edgekit.models import load_model
from edgekit.simulation.calibrating import calibration_of
from edgekit.simulation.crossing import HeldOut, Point
from edgekit.simulation.layer import Layer
from edgekit.simulation.layers import layers_of
from edgekit.simulation.predict import predict
from edgekit.simulation.terms import NAMES
from edgekit.simulation.work import Work
from scripts.branches import Branches, Feature
from tests.models.building import model, node, saved, value
from tests.models.tflite_building import Builder, conv_options


def net(*dilations: int) -> list[Layer]:
    """One convolution of 64 channels after the other."""
    branches, x = Branches(28), Feature(64, 28)
    for dilation in dilations:
        x = branches.of(x, 64, 3, dilation=dilation)
    return branches.layers


def onnx_net(folder: Path, dilation: int) -> Path:
    weights = {"w": np.ones((4, 3, 3, 3), np.float32)}
    one = node("Conv", "x w", "y", dilations=[1, dilation], pads=[1, dilation] * 2)
    proto: onnx.ModelProto = model([one], [value("x", 1, 3, 8, 8)], [value("y", 1, 4, 8, 8)], weights)
    return saved(folder, proto)


def tflite_net(folder: Path, dilation: int) -> Path:
    b = Builder()
    x, y = b.tensor("x", (1, 8, 8, 3)), b.tensor("y", (1, 8, 8, 4))
    w = b.tensor("w", (4, 3, 3, 3), data=np.ones((4, 3, 3, 3), np.float32))
    options = conv_options()
    options.dilationHFactor, options.dilationWFactor = 1, dilation
    b.operator("CONV_2D", [x, w, b.tensor("b", (4,), data=np.zeros(4, np.float32))], [y], options)
    path = folder / "net.tflite"
    path.write_bytes(b.content([x], [y]))
    return path


@pytest.mark.parametrize("made", [onnx_net, tflite_net], ids=["onnx", "tflite"])
@pytest.mark.parametrize("dilation", [1, 4])
def test_read_from_every_format(tmp_path: Path, made: object, dilation: int) -> None:
    assert callable(made)
    assert [layer.dilation for layer in layers_of(load_model(made(tmp_path, dilation)))] == [dilation]


def test_work_counts_them_apart() -> None:
    work, plain = Work.of(net(1, 2)), Work.of(net(1))
    assert work.dilated_share == pytest.approx(0.5)
    for runtime in ("ncnn", "qnn", "cann"):
        assert work.dilated_on(runtime) == pytest.approx(plain.on(runtime))
        assert not plain.dilated_on(runtime).any()


def reasons(profile: Profile, layers: list[Layer], runtime: str) -> set[str]:
    """Why predictions with ``runtime`` are marked."""
    found = predict(profile.id, profile, Work.of(layers), ("fp32", "fp16", "int8"))
    return {reason for item in found if item.speed.runtime == runtime for reason in item.outside}


@pytest.mark.parametrize(
    ("profile", "runtime", "is_known"),
    [("qualcomm-iq-9075", "qnn", False), ("raspberry-pi-4", "ncnn", False), ("atlas-300i-pro", "cann", True)],
)
def test_marked_but_where_they_were_measured(profile: str, runtime: str, is_known: bool) -> None:
    """Of Qualcomm's NPUs one model had many (FCN, 4 to 12 times slower than predicted), of Ascend's three."""
    known = load_catalog().profile(profile)
    plain, dilated = net(*[1] * 40), net(*[2] * 40)
    assert not any("dilated" in reason for reason in reasons(known, plain, runtime))
    assert any("dilated" in reason for reason in reasons(known, dilated, runtime)) is not is_known


@pytest.mark.parametrize(("families", "is_known"), [(2, False), (3, True)])
def test_three_families_make_them_known(families: int, is_known: bool) -> None:
    terms = Work.of(net(1, 2)).usual
    points = [Point(f"m{place}", f"m{place}", 1.0, terms, dilated_share=0.5) for place in range(families)]
    points += [Point("plain", "plain", 1.0, terms)] * 3
    held_out = [HeldOut(point, 1.1) for point in points]
    found = calibration_of(points, NAMES, np.ones(len(NAMES)), held_out, held_out)
    assert ("dilated" in found.covered) is is_known
