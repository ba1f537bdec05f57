"""A Concat with zeros, which onnx2tf cannot write, becomes a Pad that answers the same."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.conversion.protocol import ConversionRequest
from edgekit.conversion.workers import run_worker
from edgekit.models import load_model, prepare_onnx
from edgekit.models.zoo import resolve
from tests.converters.steps import CONVERTERS, load_converter, need_environment
from tests.graphs import Graph, floats, renamed
from tests.runtimes import run_onnx, run_tflite


def padding() -> Any:
    if str(CONVERTERS / "onnx2tf") not in sys.path:
        sys.path.append(str(CONVERTERS / "onnx2tf"))
    return importlib.import_module("padding")


def widened(*, value: float = 0.0, computed: bool = False) -> onnx.ModelProto:
    """A residual branch that is widened by channels of one value, in front and behind; the way of BlazeFace."""
    g = Graph(4)
    x = g.node(
        "Relu", [g.node("Conv", ["x", g.weight("w", (8, 3, 3, 3), 0.3)], "conv", pads=[1] * 4)], "relu"
    )
    shape = g.constant("shape", np.array([1, 4, 8, 8], np.int64))
    filling = helper.make_tensor("value", TensorProto.FLOAT, [1], [value])
    behind = g.node("ConstantOfShape", [shape], "behind", value=filling)
    front = x if computed else g.constant("front", np.full((1, 2, 8, 8), value, np.float32))
    wide = g.node("Concat", [x, front, behind], "widen", axis=1)
    channels = 20 if computed else 14
    branch = g.node("Conv", [x, g.weight("d", (8, 1, 3, 3), 0.3)], "depthwise", pads=[1] * 4, group=8)
    branch = g.node("Conv", [branch, g.weight("v", (channels, 8, 1, 1), 0.3)], "branch")
    x = g.node("Relu", [g.node("Add", [branch, wide], "add")], "relu2")
    renamed(g, g.node("Conv", [x, g.weight("u", (5, channels, 1, 1), 0.3)], "last"), "y")
    return g.model([floats("x", 1, 3, 8, 8)], [floats("y", 1, 5, 8, 8)])


def inputs() -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    return [{"x": rng.standard_normal((1, 3, 8, 8)).astype(np.float32)} for _ in range(3)]


@pytest.mark.parametrize("value", [0.0, 1.5])
def test_a_pad_answers_the_same(value: float, tmp_path: Path) -> None:
    model = widened(value=value)
    onnx.save(model, tmp_path / "before.onnx")
    assert padding().pad_constant_concats(model) == ["widen"]
    assert [node.op_type for node in model.graph.node if node.name == "widen"] == ["Pad"]
    onnx.save(model, tmp_path / "after.onnx")
    pairs = zip(
        run_onnx(tmp_path / "before.onnx", inputs()), run_onnx(tmp_path / "after.onnx", inputs()), strict=True
    )
    for before, after in pairs:
        np.testing.assert_array_equal(before["y"], after["y"])


def test_a_concat_of_two_maps_stays() -> None:
    model = widened(computed=True)
    assert padding().pad_constant_concats(model) == []
    assert "Concat" in {node.op_type for node in model.graph.node}


@pytest.mark.network
@pytest.mark.slow
def test_blazeface_runs_and_answers_as_the_source(tmp_path: Path) -> None:
    """Eight of its eleven Concats ended with "Input tensor 26 lacks data"."""
    onnx2tf = load_converter("onnx2tf")
    need_environment(onnx2tf)
    source = prepare_onnx(load_model(resolve("blazeface")), tmp_path / "blazeface.onnx")
    out = tmp_path / "out"
    out.mkdir()
    request: ConversionRequest = {
        "source": str(source),
        "io": None,
        "out_dir": str(out),
        "precision": "fp32",
        "options": {},
        "calibration": None,
        "task": "face-detection",
        "threads": 1,
    }
    reply = run_worker(onnx2tf, CONVERTERS / "onnx2tf", request, log=tmp_path / "log")
    assert "pass pad-constant-concats: 11 changed" in reply["notes"]
    (name,) = (tensor["source"] for tensor in reply["io"]["inputs"])
    faces = [{name: np.random.default_rng(3).standard_normal((1, 128, 128, 3)).astype(np.float32)}]
    (wanted,), (found,) = run_onnx(source, faces), run_tflite(out / reply["artifact"], faces, reply["io"])
    for output, values in wanted.items():
        # float sums in another order
        np.testing.assert_allclose(found[output], values, atol=1e-4 * float(np.abs(values).max()))
