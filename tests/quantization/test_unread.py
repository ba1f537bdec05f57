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
    ("pairs", "expected"),
    [
        ("all", ["gate_out", "relu1_out", "x", "clip_out", "relu2_out", "y"]),
        ("read", ["gate_out", "relu1_out", "x"]),
    ],
)
def test_what_gets_a_pair(gated: onnx.ModelProto, pairs: str, expected: list[str]) -> None:
    scheme = Scheme.of({"int8_activations": "uint8", "int8_pairs": pairs})
    assert sorted(quantized_tensors(gated, float_nodes(gated.graph), scheme)) == sorted(expected)


def test_the_graph_is_valid_and_answers_as_before(gated: onnx.ModelProto) -> None:
    in_float, scheme, inputs = float_nodes(gated.graph), Scheme(pairs="read"), samples(gated, 8)
    tensors = quantized_tensors(gated, in_float, scheme)
    ranges = observe(gated, tensors, inputs, ["minmax"], threads=1)["minmax"]
    made = insert(gated, ranges, in_float, scheme)
    onnx.checker.check_model(made, full_check=True)
    kept = {node.name for node in made.graph.node}
    assert {"relu2", "clip"} <= kept
    assert "relu1" not in kept  # its pair is read by a convolution, and says it already
    # eight bits through three layers give 30 dB and more; without the ReLU there would be no likeness
    assert Grader(gated, inputs, 1).sqnr_db(made) > 25


@pytest.fixture
def residual() -> onnx.ModelProto:
    """LeakyReLUs behind convolutions, and sums of one such map with a convolution's, and of two convolutions'."""
    g = Graph(5)

    def convolution(x: str, name: str, inputs: int = 8) -> str:
        return g.node("Conv", [x, g.weight(f"w_{name}", (8, inputs, 1, 1), 0.4)], name)

    stem = g.node("LeakyRelu", [convolution("x", "stem", 3)], "leaky", alpha=0.1)
    first = g.node("Add", [stem, convolution(stem, "one")], "first_sum")
    two, three = convolution(first, "two"), convolution(first, "three")
    second = g.node("LeakyRelu", [g.node("Add", [two, three], "second_sum")], "behind", alpha=0.1)
    renamed(g, convolution(second, "last"), "y")
    return onnx.shape_inference.infer_shapes(g.model([floats("x", 1, 3, 8, 8)], [floats("y", 1, 8, 8, 8)]))


def test_no_pair_stands_between_what_one_kernel_computes(residual: onnx.ModelProto) -> None:
    in_float = float_nodes(residual.graph)
    every = quantized_tensors(residual, in_float, Scheme())
    read = quantized_tensors(residual, in_float, Scheme(pairs="read"))
    # of the second sum's operands one comes out of memory; the LeakyReLUs' results and the first sum's, too
    assert sorted(read) == ["behind_out", "first_sum_out", "leaky_out", "three_out", "x"]
    assert sorted(set(every) - set(read)) == ["one_out", "second_sum_out", "stem_out", "two_out", "y"]


def test_rounding_less_is_nearer(residual: onnx.ModelProto) -> None:
    in_float, inputs = float_nodes(residual.graph), samples(residual, 16)
    found = []
    for scheme in (Scheme(), Scheme(pairs="read")):
        tensors = quantized_tensors(residual, in_float, scheme)
        ranges = observe(residual, tensors, inputs, ["minmax"], threads=1)["minmax"]
        made = insert(residual, ranges, in_float, scheme)
        onnx.checker.check_model(made, full_check=True)
        found.append(Grader(residual, inputs, 1).sqnr_db(made))
    # five of ten roundings are gone: 3 dB less noise if all weighed the same
    assert found[1] > found[0] + 1
