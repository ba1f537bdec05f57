"""The layers of a TFLite graph; its converter fused activations already."""

from __future__ import annotations

import math
from collections.abc import Iterable

from edgekit.errors import ModelError
from edgekit.models.model import Model
from edgekit.models.tflite import TfliteGraph, TfliteOperator
from edgekit.models.tflite_facts import operator_macs
from edgekit.simulation.layer import Layer, convolution_kind, plain, product, stride_of
from edgekit.simulation.operators import FREE, TFLITE_KINDS


def tflite_layers(model: Model) -> tuple[Layer, ...]:
    """The layers of ``model`` in running order; ModelError where an operator is unknown."""
    assert model.tflite is not None
    graph = model.tflite
    constants = {index for index, tensor in enumerate(graph.tensors) if tensor.data_bytes}
    for operator in graph.operators:  # weights that are stored packed
        if operator.op in ("DEQUANTIZE", "QUANTIZE") and operator.inputs[0] in constants:
            constants.update(operator.outputs)
    return tuple(
        layer.named(operator.name, operator.op)
        for operator in graph.operators
        for layer in _layers(str(model.path), graph, operator, constants)
    )


def _layers(where: str, graph: TfliteGraph, operator: TfliteOperator, constants: set[int]) -> Iterable[Layer]:
    kind = None if operator.custom else TFLITE_KINDS.get(operator.op)
    given = [index for index in operator.inputs if index >= 0 and index not in constants]
    if kind == FREE or (kind is not None and not given):
        return []
    if not operator.custom:
        match operator.op:
            case "CONV_2D" | "DEPTHWISE_CONV_2D" | "TRANSPOSE_CONV":
                return [_convolution(graph, operator)]
            case "FULLY_CONNECTED" | "BATCH_MATMUL":
                return [_product(graph, operator, constants)]
        if kind is not None:
            reads, writes = _elements(graph, given), _elements(graph, operator.outputs)
            return [plain(kind, reads=reads, writes=writes)]
    raise ModelError(
        f"{where}: '{operator.name}' ({operator.op}) is an operator that predictions know no time for"
    )


def _convolution(graph: TfliteGraph, operator: TfliteOperator) -> Layer:
    source = operator.inputs[2] if operator.op == "TRANSPOSE_CONV" else operator.inputs[0]
    given, weights = graph.tensors[source].shape, graph.tensors[operator.inputs[1]].shape
    made = graph.tensors[operator.outputs[0]].shape
    kernel = math.prod(weights[1:3])
    groups = given[-1] if operator.op == "DEPTHWISE_CONV_2D" else max(given[-1] // max(weights[-1], 1), 1)
    single = operator.op == "DEPTHWISE_CONV_2D" and given[-1] == 1
    return Layer(
        kind="conv" if single else convolution_kind(given[-1], groups, kernel),
        macs=operator_macs(graph, operator),
        weights=math.prod(weights),
        reads=math.prod(given),
        writes=math.prod(made),
        in_channels=given[-1],
        out_channels=made[-1],
        kernel=kernel,
        stride=1 if operator.op == "TRANSPOSE_CONV" else stride_of(given[2], made[2]),
        dilation=operator.dilation if kernel > 1 else 1,
    )


def _product(graph: TfliteGraph, operator: TfliteOperator, constants: set[int]) -> Layer:
    given = [index for index in operator.inputs[:2] if index >= 0 and index not in constants]
    return product(
        macs=operator_macs(graph, operator),
        reads=_elements(graph, given),
        writes=_elements(graph, operator.outputs),
        columns=(graph.tensors[operator.outputs[0]].shape or (1,))[-1],
        is_constant=operator.inputs[1] in constants,
    )


def _elements(graph: TfliteGraph, indices: Iterable[int]) -> int:
    return sum(math.prod(graph.tensors[index].shape) for index in indices)
