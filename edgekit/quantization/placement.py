"""Which nodes compute in int8 and which stay in float."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""The operators whose arithmetic int8 speeds up."""

ACTIVATIONS = frozenset({"Relu", "Clip", "LeakyRelu", "Sigmoid"})
"""Fused into the operator before them by every runtime."""

QUANTIZED_OPERATORS = (
    WEIGHTED
    | ACTIVATIONS
    | {
        "Add",
        "Mul",
        "Concat",
        "Resize",
        "MaxPool",
        "AveragePool",
        "GlobalAveragePool",
        "Pad",
        "Slice",
        "Split",
    }
    | {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"}
)
"""What int8 reaches: weights, and what lies between them.

Not Softmax, LayerNormalization, Where, Gather, TopK, NonMaxSuppression and the like: 256 steps are too few for
what they tell apart, and they cost little in float.
"""


def float_tail(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes behind the last weights: post-processing (boxes, scores, indices) that stays in float.

    An activation directly behind its weighted node is not among them: it is fused into that node.
    """
    producers = {name: node for node in graph.node for name in node.output}
    needed = _ancestors([node for node in graph.node if node.op_type in WEIGHTED], producers)
    return [
        node.name
        for node in graph.node
        if id(node) not in needed and not _is_fused_activation(node, producers)
    ]


def _is_fused_activation(node: onnx.NodeProto, producers: dict[str, onnx.NodeProto]) -> bool:
    producer = producers.get(node.input[0]) if node.input else None
    return node.op_type in ACTIVATIONS and producer is not None and producer.op_type in WEIGHTED


def _ancestors(nodes: Iterable[onnx.NodeProto], producers: dict[str, onnx.NodeProto]) -> set[int]:
    """The ids of ``nodes`` and of all nodes their inputs come from."""
    found: set[int] = set()
    open_nodes = list(nodes)
    while open_nodes:
        node = open_nodes.pop()
        if id(node) not in found:
            found.add(id(node))
            open_nodes += [producers[name] for name in node.input if name in producers]
    return found
