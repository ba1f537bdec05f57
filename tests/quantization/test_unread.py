"""Pairs that only floats read are taken out, and what they had swallowed comes back."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgekit.quantization.grading import Grader
from edgekit.quantization.insertion import Scheme, insert, quantized_tensors
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.watching import observe
from tests.graphs import Graph, floats, renamed, samples


@pytest.fixture
def gated() -> onnx.ModelProto:
    """Convolutions, a ReLU and a Clip, in front of what stays in float, and one in front of a convolution."""
    g = Graph(4)
    first = g.node(
        "Relu", [g.node("Conv", ["x", g.weight("w1", (8, 3, 3, 3), 0.3)], "one", pads=[1] * 4)], "relu1"
    )
    gate = g.node("Conv", [first, g.weight("w2", (8, 8, 1, 1), 0.3)], "two")
    gate = g.node("Relu", [gate], "relu2")
    low, high = g.constant("low", np.float32(0)), g.constant("high", np.float32(0.5))
    side = g.node(
        "Clip", [g.node("Conv", [first, g.weight("w3", (8, 8, 1, 1), 0.3)], "three"), low, high], "clip"
    )
    mixed = g.node("Mul", [gate, side], "gate")
    renamed(g, g.node("Conv", [mixed, g.weight("w4", (4, 8, 1, 1), 0.3)], "four"), "y")
    model = g.model([floats("x", 1, 3, 8, 8)], [floats("y", 1, 4, 8, 8)])
    return onnx.shape_inference.infer_shapes(model)


@pytest.mark.parametrize(
    ("activations", "expected"),
    [
        ("uint8", ["gate_out", "relu1_out", "x", "clip_out", "relu2_out", "y"]),
        ("symmetric", ["gate_out", "relu1_out", "x"]),
    ],
)
def test_what_gets_a_pair(gated: onnx.ModelProto, activations: str, expected: list[str]) -> None:
    scheme = Scheme.of({"int8_activations": activations})
    assert sorted(quantized_tensors(gated, float_nodes(gated.graph), scheme)) == sorted(expected)


def test_the_graph_is_valid_and_answers_as_before(gated: onnx.ModelProto) -> None:
    in_float, scheme, inputs = float_nodes(gated.graph), Scheme(activations="symmetric"), samples(gated, 8)
    tensors = quantized_tensors(gated, in_float, scheme)
    ranges = observe(gated, tensors, inputs, ["minmax"], threads=1)["minmax"]
    made = insert(gated, ranges, in_float, scheme)
    onnx.checker.check_model(made, full_check=True)
    kept = {node.name for node in made.graph.node}
    assert {"relu2", "clip"} <= kept
    assert "relu1" not in kept  # its pair is read by a convolution, and says it already
    # eight bits through three layers give 30 dB and more; without the ReLU there would be no likeness
    assert Grader(gated, inputs, 1).sqnr_db(made) > 25
