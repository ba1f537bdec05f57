"""What a concatenation joins gets one range where that costs little."""

from __future__ import annotations

import onnx
from onnx import helper

from edgekit.quantization.grading import Grader
from edgekit.quantization.insertion import Scheme, insert, quantized_tensors
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.sharing import with_shared_ranges
from edgekit.quantization.watching import observe
from tests.graphs import Graph, floats, renamed, samples
from tests.quantization.small import inferred


def graph(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("y",)) -> onnx.GraphProto:
    values = [onnx.ValueInfoProto(name=name) for name in outputs]
    return onnx.GraphProto(node=nodes, output=values)


def test_inputs_and_output_share_the_widest_range() -> None:
    joined = graph(helper.make_node("Concat", ["a", "b"], ["y"], axis=1))
    found = with_shared_ranges(joined, {"a": (0.0, 1.0), "b": (-0.2, 6.0), "y": (-0.1, 5.5), "z": (0.0, 9.0)})
    assert found == {"a": (-0.2, 6.0), "b": (-0.2, 6.0), "y": (-0.2, 6.0), "z": (0.0, 9.0)}


def test_a_small_input_with_another_reader_keeps_its_own() -> None:
    nodes = [
        helper.make_node("Concat", ["small", "half", "wide"], ["y"], axis=1),
        helper.make_node("Conv", ["small", "w"], ["u"]),
        helper.make_node("Conv", ["half", "w"], ["v"]),
    ]
    ranges = {"small": (0.0, 1.9), "half": (0.0, 2.1), "wide": (0.0, 4.0), "y": (0.0, 4.0)}
    found = with_shared_ranges(graph(*nodes), ranges)
    assert found == {"small": (0.0, 1.9), "half": (0.0, 4.0), "wide": (0.0, 4.0), "y": (0.0, 4.0)}


def test_what_two_concatenations_join_is_one_group() -> None:
    nodes = [
        helper.make_node("Concat", ["a", "b"], ["c"], axis=1),
        helper.make_node("Concat", ["c", "d"], ["y"], axis=1),
    ]
    found = with_shared_ranges(graph(*nodes), {"a": (0.0, 1.0), "b": (0.0, 2.0), "c": (0.0, 2.0), "d": (-1.0, 0.5),
                                               "y": (-1.0, 2.0)})  # fmt: skip
    assert set(found.values()) == {(-1.0, 2.0)}


def test_values_are_rounded_once() -> None:
    """A map joined with one of a slightly other range."""
    g = Graph(3)
    a = g.node("Relu", [g.node("Conv", ["x", g.weight("w", (6, 3, 1, 1), 0.5)], "first")], "relu_a")
    b = g.node("Relu", [g.node("Conv", ["x", g.weight("v", (2, 3, 1, 1), 0.6)], "second")], "relu_b")
    joined = g.node("Concat", [a, b], "joined", axis=1)
    renamed(g, g.node("Conv", [joined, g.weight("u", (4, 8, 1, 1), 0.5)], "last"), "y")
    model = inferred(g.model([floats("x", 1, 3, 8, 8)], [floats("y", 1, 4, 8, 8)]))
    in_float, scheme, data = float_nodes(model.graph), Scheme(pairs="read"), samples(model, 16)
    tensors = quantized_tensors(model, in_float, scheme)
    own = observe(model, tensors, data, ["minmax"], threads=1)["minmax"]
    assert len({own[name] for name in (a, b, joined)}) > 1
    grader = Grader(model, data, 1)
    apart, together = (
        grader.sqnr_db(insert(model, ranges, in_float, scheme))
        for ranges in (own, with_shared_ranges(model.graph, own))
    )
    assert together > apart
