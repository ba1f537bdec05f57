"""Zero points of zero for what convolutions on matrix tiles read, and for nothing else."""

from __future__ import annotations

from edgekit.quantization.tiles import read_by_tiles
from tests.graphs import Graph, floats


def test_a_dense_convolution_reads_on_tiles_and_a_depthwise_one_does_not() -> None:
    g = Graph()
    first = g.node("Conv", ["x", g.weight("a", (8, 3, 3, 3), 1.0)], "first")
    deep = g.node("Conv", [first, g.weight("b", (8, 1, 1, 1), 1.0)], "deep", group=8)
    last = g.node("Conv", [deep, g.weight("c", (4, 8, 1, 1), 1.0)], "last")
    model = g.model([floats("x", 1, 3, 8, 8)], [floats(last, 1, 4, 6, 6)])
    assert read_by_tiles(model.graph) == {"x", deep}


def test_a_product_reads_on_tiles() -> None:
    g = Graph()
    last = g.node("MatMul", ["x", g.weight("a", (3, 4), 1.0)], "last")
    assert read_by_tiles(g.model([floats("x", 2, 3)], [floats(last, 2, 4)]).graph) == {"x"}


def test_what_only_passes_values_on_has_the_grid_of_its_reader() -> None:
    g = Graph()
    left = g.node("Conv", ["x", g.weight("a", (4, 3, 1, 1), 1.0)], "left")
    right = g.node("Relu", [g.node("Conv", ["x", g.weight("b", (4, 3, 1, 1), 1.0)], "right")], "positive")
    pooled = g.node("MaxPool", [left], "pooled", kernel_shape=[1, 1])
    joined = g.node("Concat", [pooled, right], "joined", axis=1)
    last = g.node("Conv", [joined, g.weight("c", (2, 8, 1, 1), 1.0)], "last")
    model = g.model([floats("x", 1, 3, 8, 8)], [floats(last, 1, 2, 8, 8)])
    assert read_by_tiles(model.graph) == {"x", left, right, pooled, joined}
