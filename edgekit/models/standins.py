"""Stand-ins for onnxruntime's own operators, so that onnx's shape inference gets past them.

Only shapes and types of the outputs have to be right; the stand-ins never run.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import TensorProto
from onnx.helper import make_node, make_tensor_value_info

from edgekit.models.tensors import shape_problem
from edgekit.models.walk import CONTRIB_DOMAIN

Standin = tuple[list[onnx.NodeProto], list[onnx.ValueInfoProto]]
"""Nodes of the default domain, and the inputs they need besides those of the graph."""


def with_standins(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with the ``com.microsoft`` operators of the table replaced; the others stay."""
    if all(node.domain != CONTRIB_DOMAIN for node in model.graph.node):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    for node in model.graph.node:
        build = _TABLE.get(node.op_type) if node.domain == CONTRIB_DOMAIN else None
        nodes, inputs = build(node) if build else ([node], [])
        copy.graph.node.extend(nodes)
        copy.graph.input.extend(inputs)
    return copy


def integer(node: onnx.NodeProto, name: str, default: int = 0) -> int:
    """An integer attribute of ``node``."""
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


def contrib_problem(node: onnx.NodeProto) -> str | None:
    """What a ``com.microsoft`` node of the table lacks; onnx's checker does not look at these."""
    if node.domain != CONTRIB_DOMAIN or node.op_type not in _TABLE:
        return None
    needed = _INPUTS.get(node.op_type, 1)
    if len(node.input) < needed or not node.output or not all((*node.input[:needed], node.output[0])):
        return f"has {len(node.input)} inputs and {len(node.output)} outputs, needs at least {needed} and 1"
    sizes = [integer(node, name) for name in ("K", "N")] if node.op_type == "MatMulNBits" else []
    problem = shape_problem(sizes)
    return f"the weight {problem}" if problem else None


def _same_shape(node: onnx.NodeProto) -> Standin:
    return [make_node("Identity", node.input[:1], node.output[:1])], []


def _conv(node: onnx.NodeProto) -> Standin:
    known = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}
    conv = make_node("Conv", node.input[:3], node.output[:1])
    conv.attribute.extend(attribute for attribute in node.attribute if attribute.name in known)
    return [conv], []


def _matrix(right: int) -> Callable[[onnx.NodeProto], Standin]:
    """Gemm of the first input and the one at index ``right``."""

    def build(node: onnx.NodeProto) -> Standin:
        gemm = make_node("Gemm", [node.input[0], node.input[right]], node.output[:1])
        gemm.attribute.extend(one for one in node.attribute if one.name in ("transA", "transB"))
        return [gemm], []

    return build


def _global_pool(node: onnx.NodeProto) -> Standin:
    return [make_node("GlobalAveragePool", node.input[:1], node.output[:1])], []


def _broadcast(node: onnx.NodeProto) -> Standin:
    """QLinearAdd and QLinearMul: A, scale, zero point, B, …"""
    return [make_node("Add", [node.input[0], node.input[3]], node.output[:1])], []


def _integer_matmul(node: onnx.NodeProto) -> Standin:
    """Float result of two integer matrices, or of a float one and an integer one."""
    product = f"{node.output[0]}/standin"
    cast = make_node("Cast", [product], node.output[:1], to=TensorProto.FLOAT)
    return [make_node("MatMul", node.input[:2], [product]), cast], []


def _packed_matmul(node: onnx.NodeProto) -> Standin:
    """MatMulNBits: the weight is packed; its logical shape [K, N] stands in the attributes."""
    sides = [integer(node, "K"), integer(node, "N")]
    weight = make_tensor_value_info(f"{node.output[0]}/standin", TensorProto.FLOAT, sides)
    return [make_node("MatMul", [node.input[0], weight.name], node.output[:1])], [weight]


_TABLE: dict[str, Callable[[onnx.NodeProto], Standin]] = {
    "BiasGelu": _same_shape,
    "DynamicQuantizeMatMul": _integer_matmul,
    "FastGelu": _same_shape,
    "FusedConv": _conv,
    "FusedGemm": _matrix(1),
    "Gelu": _same_shape,
    "MatMulIntegerToFloat": _integer_matmul,
    "MatMulNBits": _packed_matmul,
    "QGemm": _matrix(3),
    "QLinearAdd": _broadcast,
    "QLinearGlobalAveragePool": _global_pool,
    "QLinearLeakyRelu": _same_shape,
    "QLinearMul": _broadcast,
    "QLinearSigmoid": _same_shape,
    "QLinearSoftmax": _same_shape,
    "QuickGelu": _same_shape,
    "SkipLayerNormalization": _same_shape,
    "SkipSimplifiedLayerNormalization": _same_shape,
}
_INPUTS = {
    "DynamicQuantizeMatMul": 2,
    "FusedConv": 2,
    "FusedGemm": 2,
    "MatMulIntegerToFloat": 2,
    "MatMulNBits": 2,
    "QGemm": 4,
    "QLinearAdd": 4,
    "QLinearMul": 4,
}
"""How many inputs the stand-in of an operator reads, where it is more than one."""
