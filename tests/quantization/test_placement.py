"""What is quantized, by structure: real graphs in small."""

from __future__ import annotations

import numpy as np
import onnx

from edgekit.quantization.placement import float_nodes
from tests.graphs import Graph, floats, renamed, tiny_bert, tiny_cnn


def test_a_plain_cnn_is_int8_throughout() -> None:
    assert float_nodes(tiny_cnn().graph).all == ()


def test_boxes_behind_the_last_convolution_stay_float() -> None:
    g = Graph()
    x = g.node("Conv", ["x", g.weight("w", (8, 3, 3, 3), 0.3)], "backbone", pads=[1] * 4)
    x = g.node("Conv", [g.node("Relu", [x], "relu"), g.weight("h", (8, 8, 1, 1), 0.3)], "head")
    x = g.node("Sigmoid", [x], "sigmoid")
    x = g.node("Transpose", [x], "channels_last", perm=(0, 2, 3, 1))
    x = g.node("Reshape", [x, g.constant("flat", np.array([1, -1]))], "boxes")
    renamed(g, g.node("Concat", [x, x], "both", axis=1), "y")
    found = float_nodes(g.model([floats("x", 1, 3, 4, 4)], [floats("y", 1, 256)]).graph)
    # the sigmoid is fused into the head, everything behind it is not
    assert found.tail == ("channels_last", "boxes", "both")


def test_attention_is_float_and_its_dense_layers_are_not() -> None:
    graph = tiny_bert().graph
    found = float_nodes(graph)
    dense = {f"l{layer}.{name}" for layer in (0, 1) for name in ("q", "k", "v", "o", "up", "down")}
    assert dense.isdisjoint(found.all)
    assert {"l0.qk", "l0.mix", "l0.masked", "l0.skip1", "add_positions"} <= set(found.attention)
    assert found.wide_outputs == ("MatMul",)


def test_residual_sums_are_int8_and_shifts_per_channel_are_float() -> None:
    g = Graph()
    x = g.node("Conv", ["x", g.weight("w", (3, 3, 3, 3), 0.3)], "conv", pads=[1] * 4)
    x = g.node("Add", [x, g.weight("b", (1, 3, 1, 1), 1.0)], "shift")
    x = g.node("Mul", [x, g.weight("s", (1, 3, 1, 1), 1.0)], "factor")
    x = g.node("Add", [x, g.node("Conv", ["x", g.weight("v", (3, 3, 1, 1), 0.3)], "side")], "sum")
    renamed(g, g.node("Conv", [x, g.weight("u", (3, 3, 1, 1), 0.3)], "last"), "y")
    found = float_nodes(g.model([floats("x", 1, 3, 4, 4)], [floats("y", 1, 3, 4, 4)]).graph)
    assert found.all == ("shift",)
    assert found.wide_outputs == ()


def test_gates_are_float_and_what_they_multiply_is_not() -> None:
    g = Graph()
    x = g.node(
        "Relu", [g.node("Conv", ["x", g.weight("w", (4, 3, 3, 3), 0.3)], "conv", pads=[1] * 4)], "relu"
    )
    x = g.node("Add", [x, x], "map")
    z = g.node("GlobalAveragePool", [x], "mean")
    z = g.node("Relu", [g.node("Conv", [z, g.weight("d", (2, 4, 1, 1), 0.3)], "down")], "between")
    z = g.node("HardSigmoid", [g.node("Conv", [z, g.weight("u", (4, 2, 1, 1), 0.3)], "up")], "gate")
    x = g.node("Mul", [x, z], "gated")
    x = g.node("GlobalAveragePool", [g.node("Conv", [x, g.weight("v", (4, 4, 1, 1), 0.3)], "last")], "head")
    renamed(g, g.node("Conv", [x, g.weight("c", (5, 4, 1, 1), 0.3)], "classes"), "y")
    model = onnx.shape_inference.infer_shapes(g.model([floats("x", 1, 3, 4, 4)], [floats("y", 1, 5, 1, 1)]))
    found = float_nodes(model.graph)
    assert found.gates == ("mean", "down", "between", "up")
    assert found.all == found.gates  # a mean in front of the classifier is no gate
    assert float_nodes(model.graph, gates_in_float=False).all == ()


def test_without_weights_nothing_is_quantized() -> None:
    g = Graph()
    renamed(g, g.node("Add", [g.node("Relu", ["x"], "relu"), "x"], "sum"), "y")
    graph: onnx.GraphProto = g.model([floats("x", 1, 4)], [floats("y", 1, 4)]).graph
    assert set(float_nodes(graph).all) == {"relu", "sum"}
