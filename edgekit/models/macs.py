"""Multiply-accumulates of one ONNX operator, from the shapes of its tensors.

One multiplication with its addition counts once; biases, activations, pooling and normalization count nothing,
as in the papers that state MACs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import onnx

from edgekit.models.standins import integer

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


class UnknownShapeError(Exception):
    """A shape that the count needs is not known; the text says of which tensor."""


def node_macs(node: onnx.NodeProto, shapes: Shapes) -> int:
    """MACs of ``node``, 0 for operators that do not multiply matrices; UnknownShapeError."""
    count = _COUNTS.get(node.op_type)
    try:
        return count(node, shapes) if count else 0
    except (IndexError, ValueError, KeyError) as error:
        # fewer sides or inputs than the operator has, in a graph that could not be checked as a whole
        raise UnknownShapeError(node.name) from error


def _shape(node: onnx.NodeProto, shapes: Shapes, index: int) -> Shape:
    name = node.input[index] if index >= 0 else node.output[0]
    if name not in shapes:
        raise UnknownShapeError(name)
    return shapes[name]


def _elements(node: onnx.NodeProto, shapes: Shapes) -> int:
    return math.prod(_shape(node, shapes, -1))


def _conv(weight: int) -> Callable[[onnx.NodeProto, Shapes], int]:
    """Each output element takes one filter: input channels of its group times the kernel's size."""
    return lambda node, shapes: _elements(node, shapes) * math.prod(_shape(node, shapes, weight)[1:])


def _conv_transpose(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Each input element goes into one filter: output channels of its group times the kernel's size."""
    return math.prod(_shape(node, shapes, 0)) * math.prod(_shape(node, shapes, 1)[1:])


def _gemm(node: onnx.NodeProto, shapes: Shapes) -> int:
    depth = _shape(node, shapes, 0)[0 if integer(node, "transA", 0) else 1]
    return _elements(node, shapes) * depth


def _matmul(node: onnx.NodeProto, shapes: Shapes) -> int:
    return _elements(node, shapes) * _shape(node, shapes, 0)[-1]


def _fused_matmul(node: onnx.NodeProto, shapes: Shapes) -> int:
    left = _shape(node, shapes, 0)
    return _elements(node, shapes) * left[-2 if integer(node, "transA", 0) and len(left) > 1 else -1]


def _einsum(node: onnx.NodeProto, shapes: Shapes) -> int:
    """The product over all indices: what contracting the operands at once takes."""
    given = next(attribute.s for attribute in node.attribute if attribute.name == "equation")
    equation = given.decode().replace(" ", "")
    sides: dict[str, int] = {}
    for position, labels in enumerate(equation.partition("->")[0].split(",")):
        shape = _shape(node, shapes, position)
        if "." in labels or len(labels) != len(shape):
            raise UnknownShapeError(f"the equation {equation}")
        sides |= {name: max(side, sides.get(name, 1)) for name, side in zip(labels, shape, strict=True)}
    return math.prod(sides.values()) if len(node.input) > 1 else 0


def _recurrent(node: onnx.NodeProto, shapes: Shapes) -> int:
    """RNN, GRU, LSTM: X [steps, batch, input] with W [directions, gates*hidden, input] and R likewise."""
    steps, batch, _ = _shape(node, shapes, 0)
    weights = math.prod(_shape(node, shapes, 1)) + math.prod(_shape(node, shapes, 2))
    return steps * batch * weights


def _attention(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Scaled dot products of opset 23: queries with keys, weights with values; Q, K, V as 4-D or 3-D."""
    query, key, value = (_shape(node, shapes, index) for index in range(3))
    if len(query) == 4:
        return math.prod(query[:3]) * key[2] * (query[3] + value[3])
    heads = integer(node, "q_num_heads", 1)
    groups = integer(node, "kv_num_heads", heads)
    return query[0] * query[1] * key[1] * (query[2] + value[2] // groups * heads)


_COUNTS: dict[str, Callable[[onnx.NodeProto, Shapes], int]] = {
    "Attention": _attention,
    "Conv": _conv(1),
    "ConvInteger": _conv(1),
    "ConvTranspose": _conv_transpose,
    "DeformConv": _conv(1),
    "DynamicQuantizeMatMul": _matmul,
    "Einsum": _einsum,
    "FusedConv": _conv(1),
    "FusedMatMul": _fused_matmul,
    "FusedGemm": _gemm,
    "GRU": _recurrent,
    "Gemm": _gemm,
    "LSTM": _recurrent,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "MatMulIntegerToFloat": _matmul,
    "MatMulNBits": _matmul,
    "QGemm": _gemm,
    "QLinearConv": _conv(3),
    "QLinearMatMul": _matmul,
    "RNN": _recurrent,
}
