"""What a TFLite graph makes LiteRT keep: weights by class, activations by operator."""

from __future__ import annotations

import math

from edgekit.models.dtypes import packed_bytes
from edgekit.models.model import Model
from edgekit.models.tflite import TfliteGraph, TfliteOperator
from edgekit.simulation.layer import convolution_kind
from edgekit.simulation.memory_buffers import Move
from edgekit.simulation.memory_holdings import Holdings, WeightClass
from edgekit.simulation.operators import TFLITE_KINDS

_CONVOLUTIONS = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}
_PRODUCTS = {"FULLY_CONNECTED", "BATCH_MATMUL"}
_VIEWS = {"EXPAND_DIMS", "RESHAPE", "SQUEEZE"}
_NAMES = """
ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CEIL CONCATENATION CONV_2D DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU EXP
EXPAND_DIMS FLOOR FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD
PRELU QUANTIZE RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR ROUND RSQRT SIN SLICE SOFTMAX SPACE_TO_DEPTH
SPLIT SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
"""
_DELEGATED = frozenset(_NAMES.split())
"""What TFLite's XNNPACK delegate takes (its README); LiteRT runs all else by itself."""


def tflite_holdings(model: Model, element_bytes: int) -> Holdings:
    """Holdings of ``model`` where floats of activations take ``element_bytes``; tensors of other types as they are."""
    assert model.tflite is not None
    graph = model.tflite
    constants = {index for index, tensor in enumerate(graph.tensors) if tensor.data_bytes}
    unpacked = {
        operator.outputs[0]: operator.inputs[0]
        for operator in graph.operators
        if operator.op == "DEQUANTIZE" and operator.inputs[0] in constants
    }
    known = constants | unpacked.keys()
    weights: dict[int, tuple[WeightClass, int]] = {}
    for operator in graph.operators:
        for place, index in enumerate(operator.inputs):
            found = unpacked.get(index, index)
            if found in constants and weights.get(found, ("other", 0))[0] == "other":
                weights[found] = _class(graph, operator, place), math.prod(graph.tensors[found].shape)
    sums: dict[WeightClass, int] = {}
    for kind, size in weights.values():
        sums[kind] = sums.get(kind, 0) + size
    sizes = {
        str(index): packed_bytes(
            tensor.shape, 8 * element_bytes if tensor.dtype == "float32" else tensor.bits
        )
        for index, tensor in enumerate(graph.tensors)
        if index not in known
    }
    edges = (*graph.input_indices, *graph.output_indices)
    return Holdings(
        weights=sums,
        narrow={},
        tables=0,  # other runtimes do not read this format
        largest=max((size for _, size in weights.values()), default=0),
        moves=tuple(
            _move(graph, operator, known) for operator in graph.operators if operator.outputs[0] not in known
        ),
        sizes_bytes=sizes,
        element_bytes=element_bytes,
        inputs=tuple(str(index) for index in graph.input_indices if index not in known),
        outputs=tuple(str(index) for index in graph.output_indices if index not in known),
        edges_bytes=sum(
            packed_bytes(graph.tensors[index].shape, graph.tensors[index].bits) for index in edges
        ),
    )


def _move(graph: TfliteGraph, operator: TfliteOperator, known: set[int]) -> Move:
    reads = tuple(str(index) for index in operator.inputs if index >= 0 and index not in known)
    return Move(
        reads=reads,
        writes=tuple(str(index) for index in operator.outputs if index not in known),
        view=operator.op in _VIEWS and bool(reads),
        in_place=TFLITE_KINDS.get(operator.op) == "elementwise",
        apart=operator.custom or operator.op not in _DELEGATED,
        windows=_addresses(graph, operator),
    )


def _class(graph: TfliteGraph, operator: TfliteOperator, place: int) -> WeightClass:
    if place != 1 or operator.op not in _CONVOLUTIONS | _PRODUCTS:
        return "other"
    if operator.op in _PRODUCTS:
        return "products"
    filters = graph.tensors[operator.inputs[1]].shape
    source = operator.inputs[2] if operator.op == "TRANSPOSE_CONV" else operator.inputs[0]
    channels = graph.tensors[source].shape[-1]
    groups = channels if operator.op == "DEPTHWISE_CONV_2D" else max(channels // max(filters[-1], 1), 1)
    kind = convolution_kind(channels, groups, math.prod(filters[1:3]))
    return "windows" if kind == "conv" else "points" if kind == "pointwise" else "depthwise"


def _addresses(graph: TfliteGraph, operator: TfliteOperator) -> int:
    """As of an ONNX convolution."""
    if operator.op not in _CONVOLUTIONS:
        return 0
    height, width = graph.tensors[operator.inputs[1]].shape[1:3]
    if height * width == 1:
        return 0
    if operator.op == "TRANSPOSE_CONV":
        return math.prod(graph.tensors[operator.inputs[2]].shape[1:3]) * height * width
    places = math.prod(graph.tensors[operator.outputs[0]].shape[1:3])
    return places * (height if operator.op == "DEPTHWISE_CONV_2D" else height * width)
