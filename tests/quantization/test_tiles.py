"""Zero points of zero for what convolutions on matrix tiles read and cannot do without, and for nothing else."""

from __future__ import annotations

import pytest

from edgekit.quantization.tiles import read_by_tiles
from tests.graphs import Graph, floats

PADDED = {"pads": [1, 1, 1, 1]}


def conv(g: Graph, source: str, name: str, channels: tuple[int, int], **attributes: object) -> str:
    """A convolution of 3 x 3 with ``channels`` (outputs, inputs of each group)."""
    return g.node("Conv", [source, g.weight(f"{name}/w", (*channels, 3, 3), 1.0)], name, **attributes)


@pytest.mark.parametrize(
    ("channels", "attributes", "reads"),
    [
        ((8, 8), PADDED, True),
        ((8, 8), {"auto_pad": "SAME_UPPER"}, True),
        ((8, 1), {**PADDED, "group": 8}, False),  # depthwise: not on tiles
        ((8, 3), PADDED, False),  # an image
        ((8, 8), {}, False),  # takes the zero point into its bias
        ((8, 8), {"auto_pad": "VALID"}, False),
        ((8, 8), {"pads": [0, 0, 0, 0]}, False),
    ],
)
def test_which_convolutions_need_a_zero_point_of_zero(
    channels: tuple[int, int], attributes: dict[str, object], reads: bool
) -> None:
    g = Graph()
    last = conv(g, "x", "last", channels, **attributes)
    inputs = channels[1] * int(str(attributes.get("group", 1)))
    side = 8 if attributes.get("pads") == PADDED["pads"] or "SAME_UPPER" in attributes.values() else 6
    model = g.model([floats("x", 1, inputs, 8, 8)], [floats(last, 1, 8, side, side)])
    assert read_by_tiles(model.graph) == ({"x"} if reads else set())


def test_a_product_reads_on_tiles() -> None:
    g = Graph()
    last = g.node("MatMul", ["x", g.weight("a", (3, 4), 1.0)], "last")
    assert read_by_tiles(g.model([floats("x", 2, 3)], [floats(last, 2, 4)]).graph) == {"x"}


def test_what_only_passes_values_on_has_the_grid_of_its_reader() -> None:
    g = Graph()
    left = conv(g, "x", "left", (4, 3), **PADDED)
    right = g.node("Relu", [conv(g, "x", "right", (4, 3), **PADDED)], "positive")
    pooled = g.node("MaxPool", [left], "pooled", kernel_shape=[1, 1])
    joined = g.node("Concat", [pooled, right], "joined", axis=1)
    last = conv(g, joined, "last", (2, 8), **PADDED)
    model = g.model([floats("x", 1, 3, 8, 8)], [floats(last, 1, 2, 8, 8)])
    assert read_by_tiles(model.graph) == {left, right, pooled, joined}
