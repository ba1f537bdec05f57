"""Is a model already quantized, and how? Quantizing it once more would only add errors."""

from __future__ import annotations

from collections import Counter

import onnx

from edgekit.models.tflite import TfliteGraph
from edgekit.models.walk import CONTRIB_DOMAIN, all_graphs

_STATIC_INTEGER = {"QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul"}
_DYNAMIC_INTEGER = {"ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}
_PACKED = {"MatMulNBits", "GatherBlockQuantized", "MatMulBnb4"}
_INT8 = {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}


def onnx_quantization(model: onnx.ModelProto) -> str | None:
    """One sentence saying how ``model`` is quantized; None where it is not."""
    counts: Counter[str] = Counter()
    cast_weights = 0
    for graph in all_graphs(model.graph):
        counts.update(node.op_type for node in graph.node)
        cast_weights += _cast_weights(graph)
    return _sentence(counts, cast_weights, _bits(model))


def _sentence(counts: Counter[str], cast_weights: int, bits: str) -> str | None:
    packed, static, dynamic = (
        sum(counts[op] for op in ops) for ops in (_PACKED, _STATIC_INTEGER, _DYNAMIC_INTEGER)
    )
    if packed:
        return f"weight-only, in blocks: {packed} operators unpack {bits} weights (MatMulNBits and the like)"
    if static:
        return f"static int8: {static} QLinear operators compute in integers"
    if dynamic or counts["DynamicQuantizeLinear"]:
        return f"dynamic int8: {dynamic} integer operators, activations quantized as they come"
    if counts["QuantizeLinear"]:
        pairs = f"{counts['QuantizeLinear']} QuantizeLinear, {counts['DequantizeLinear']} DequantizeLinear"
        return f"static int8 as QDQ: {pairs}"
    if counts["DequantizeLinear"]:
        return f"weight-only: {counts['DequantizeLinear']} weights are dequantized to float"
    if cast_weights:
        return f"weight-only int8: {cast_weights} weights are stored as int8 and cast to float"
    return None


def _bits(model: onnx.ModelProto) -> str:
    bits = {
        attribute.i
        for node in model.graph.node
        if node.domain == CONTRIB_DOMAIN
        for attribute in node.attribute
        if attribute.name == "bits"
    }
    return " and ".join(f"{width}-bit" for width in sorted(bits)) or "packed"


def _cast_weights(graph: onnx.GraphProto) -> int:
    """Matrices of 8-bit integers whose only way is a Cast: quantized weights without the standard operators."""
    matrices = {
        tensor.name for tensor in graph.initializer if tensor.data_type in _INT8 and len(tensor.dims) >= 2
    }
    return sum(node.op_type == "Cast" and node.input[0] in matrices for node in graph.node)


def tflite_quantization(graph: TfliteGraph) -> str | None:
    """One sentence saying how ``graph`` is quantized; None where it is not (float16 weights are float)."""
    weights = sum(
        t.quantized and t.data_bytes > 0 and t.dtype in ("int8", "uint8", "int4") for t in graph.tensors
    )
    computed = {index for operator in graph.operators for index in operator.outputs if index >= 0}
    activations = Counter(graph.tensors[index].dtype for index in computed if graph.tensors[index].quantized)
    if activations:
        dtype = activations.most_common(1)[0][0]
        return f"static integer: {sum(activations.values())} of {len(computed)} activations are {dtype}"
    if weights:
        return f"dynamic range: {weights} weights are 8-bit integers, activations are float"
    return None
