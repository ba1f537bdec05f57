"""Facts of a TFLite graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator

from edgekit.models.dtypes import packed_bytes
from edgekit.models.facts import GraphFacts, LayerFacts, count_operators
from edgekit.models.liveness import Step, peak_bytes
from edgekit.models.tflite import TfliteGraph, TfliteOperator, TfliteTensor

_NO_PARAMETERS = {"int64", "bool", "string"}
Sides = tuple[tuple[int, ...], ...]


def tflite_facts(graph: TfliteGraph) -> GraphFacts:
    """Facts of ``graph``; see ``GraphFacts``. Operators and layers are those of the file."""
    constants = {index for index, tensor in enumerate(graph.tensors) if tensor.data_bytes}
    counted: set[int] = set()
    layers = tuple(_layer(graph, operator, constants, counted) for operator in graph.operators)
    return GraphFacts(
        operators=count_operators(Counter(operator.op for operator in graph.operators)),
        macs=sum(layer.macs or 0 for layer in layers),
        parameters=sum(layer.parameters for layer in layers),
        weights_bytes=sum(graph.tensors[index].data_bytes for index in constants),
        peak_activation_bytes=_peak(graph, constants),
        layers=layers,
        notes=tuple(_notes(graph)),
    )


def _layer(
    graph: TfliteGraph, operator: TfliteOperator, constants: set[int], counted: set[int]
) -> LayerFacts:
    new = {index for index in operator.inputs if index in constants} - counted
    counted |= new
    return LayerFacts(
        name=operator.name,
        op=operator.op,
        macs=operator_macs(graph, operator),
        parameters=sum(_parameters(graph.tensors[index]) for index in new),
        output_shape=graph.tensors[operator.outputs[0]].shape if operator.outputs else (),
    )


def _parameters(tensor: TfliteTensor) -> int:
    return 0 if tensor.dtype in _NO_PARAMETERS else math.prod(tensor.shape)


def operator_macs(graph: TfliteGraph, operator: TfliteOperator) -> int:
    """MACs of ``operator``; 0 for those that do not multiply matrices."""
    count = None if operator.custom else _COUNTS.get(operator.op)
    if count is None:
        return 0
    inputs = tuple(graph.tensors[index].shape if index >= 0 else () for index in operator.inputs)
    return count(inputs, graph.tensors[operator.outputs[0]].shape, operator)


def _conv_2d(inputs: Sides, output: tuple[int, ...], _: TfliteOperator) -> int:
    """Filter [out, height, width, in of one group]."""
    return math.prod(output) * math.prod(inputs[1][1:])


def _depthwise(inputs: Sides, output: tuple[int, ...], _: TfliteOperator) -> int:
    """Filter [1, height, width, out]: each output element takes one channel."""
    return math.prod(output) * math.prod(inputs[1][1:3])


def _conv_3d(inputs: Sides, output: tuple[int, ...], _: TfliteOperator) -> int:
    """Filter [depth, height, width, in, out]."""
    return math.prod(output) * math.prod(inputs[1][:4])


def _transpose_conv(inputs: Sides, output: tuple[int, ...], _: TfliteOperator) -> int:
    """Output shape, filter [out, height, width, in], input: each input element goes into out * h * w."""
    return math.prod(inputs[2]) * math.prod(inputs[1][:3])


def _fully_connected(inputs: Sides, output: tuple[int, ...], _: TfliteOperator) -> int:
    """Weights [out, in]."""
    return math.prod(output) * inputs[1][-1]


def _batch_matmul(inputs: Sides, output: tuple[int, ...], operator: TfliteOperator) -> int:
    return math.prod(output) * inputs[0][-2 if operator.transposed else -1]


def _sequence_lstm(inputs: Sides, output: tuple[int, ...], _: TfliteOperator) -> int:
    """Input [batch, steps, features] (or steps first), then eight weight matrices."""
    return math.prod(inputs[0][:2]) * sum(math.prod(shape) for shape in inputs[1:9])


_COUNTS: dict[str, Callable[[Sides, tuple[int, ...], TfliteOperator], int]] = {
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv_2d,
    "CONV_3D": _conv_3d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _sequence_lstm,
}


def _peak(graph: TfliteGraph, constants: set[int]) -> int:
    sizes = {
        str(index): packed_bytes(tensor.shape, max(tensor.bits, 8))
        for index, tensor in enumerate(graph.tensors)
        if index not in constants
    }
    steps = [Step(_names(operator.inputs), _names(operator.outputs)) for operator in graph.operators]
    return peak_bytes(steps, sizes, _names(graph.input_indices), _names(graph.output_indices))


def _names(indices: tuple[int, ...]) -> frozenset[str]:
    return frozenset(str(index) for index in indices if index >= 0)


def _notes(graph: TfliteGraph) -> Iterator[str]:
    custom = sorted({operator.op for operator in graph.operators if operator.custom})
    if custom:
        yield f"MACs of custom operators are not counted: {', '.join(custom)}"
    if graph.subgraphs > 1:
        yield f"only the main one of {graph.subgraphs} graphs is counted"
