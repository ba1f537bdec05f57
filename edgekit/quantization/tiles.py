"""What has to have a zero point of zero where convolutions and products are computed on matrix tiles.

OpenVINO's convolutions on AMX tiles take no other, its products take longer with others; depthwise convolutions do not
run on tiles and lose nothing by them. docs/decisions/0012-quantization-engine.md has the figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_ON_TILES = {"Conv", "Gemm", "MatMul"}
_PASSES_ON = {"Concat", "Flatten", "Identity", "MaxPool", "Reshape", "Resize", "Slice", "Split", "Squeeze",
              "Transpose", "Unsqueeze", "Upsample"}  # fmt: skip
"""Operators whose output has the values of their inputs, and so their grid."""


def read_by_tiles(graph: onnx.GraphProto) -> frozenset[str]:
    """Tensors that a convolution of all channels or a product with weights reads, also through operators that only
    pass values on.
    """
    makers = {name: node for node in graph.node for name in node.output}
    waiting = [node.input[0] for node in graph.node if node.op_type in _ON_TILES and not _is_depthwise(node)]
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


def _is_depthwise(node: onnx.NodeProto) -> bool:
    return any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
