"""What has to have a zero point of zero where convolutions and products are computed on matrix tiles.

OpenVINO's convolutions on AMX tiles take no other, its products take longer with others; depthwise convolutions do not
run on tiles and lose nothing by them, and convolutions without padding take them into their biases
(:mod:`edgekit.quantization.absorbing`). docs/decisions/0012-quantization-engine.md has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgekit.quantization.absorbing import absorbs_zero_points
from edgekit.quantization.placement import SAME_VALUES

if TYPE_CHECKING:
    import onnx

_ON_TILES = {"Conv", "Gemm", "MatMul"}
_PASSES_ON = SAME_VALUES | {"Concat", "MaxPool", "Resize", "Slice", "Split", "Upsample"}
"""Operators whose output has the values of their inputs, and so their grid."""

_IMAGE_CHANNELS = 4
"""Up to so many a convolution on tiles takes a zero point at no time (PP-OCRv4 detection), and images lose by having none:
half a decibel there, where white paper was cut off."""


def read_by_tiles(graph: onnx.GraphProto) -> frozenset[str]:
    """Tensors that a padded convolution of all channels or a product with weights reads, also through operators that
    only pass values on.
    """
    makers = {name: node for node in graph.node for name in node.output}
    shapes = {tensor.name: tensor.dims for tensor in graph.initializer}
    waiting = [node.input[0] for node in graph.node if _needs_zero(node, shapes)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        maker = makers.get(name)
        if maker is not None and maker.op_type in _PASSES_ON:
            waiting += maker.input if maker.op_type == "Concat" else maker.input[:1]
    return frozenset(found)


def _needs_zero(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> bool:
    if node.op_type != "Conv":
        return node.op_type in _ON_TILES
    is_depthwise = any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
    channels = shapes.get(node.input[1], (0, 0))[1]
    return channels > _IMAGE_CHANNELS and not is_depthwise and not absorbs_zero_points(node)
