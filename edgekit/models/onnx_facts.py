"""Facts of an ONNX graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from edgekit.models.constants import known_shapes, tensor_bits
from edgekit.models.dtypes import ONNX_DTYPES, packed_bytes
from edgekit.models.facts import GraphFacts, LayerFacts, count_operators
from edgekit.models.liveness import Step, peak_bytes
from edgekit.models.macs import UnknownShapeError, node_macs
from edgekit.models.model import ANY_RANK, Model, Shape
from edgekit.models.prepare import normal_form
from edgekit.models.shapes import free_dimensions, graph_inputs, shape_of
from edgekit.models.standins import integer
from edgekit.models.tensors import constant_bytes
from edgekit.models.walk import all_nodes, operator_key, subgraphs, uses

_NO_PARAMETERS = {"int64", "bool", "string"}


def onnx_facts(model: Model) -> GraphFacts:
    """Facts of an ONNX ``model``; see ``GraphFacts``."""
    assert model.proto is not None
    normal = normal_form(model)
    scope = _Scope.of(normal.graph)
    counted: set[str] = set()
    layers = tuple(_layer(node, scope, counted) for node in normal.graph.node)
    uncounted = [layer for layer in layers if layer.macs is None]
    return GraphFacts(
        operators=count_operators(_operators(model.proto)),
        macs=None if uncounted else sum(layer.macs or 0 for layer in layers),
        parameters=sum(layer.parameters for layer in layers),
        weights_bytes=_weights_bytes(normal.graph),
        peak_activation_bytes=_peak(normal.graph, scope),
        layers=layers,
        notes=tuple(_notes(model, normal, uncounted)),
    )


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is known of the tensors that a node can see."""

    shapes: dict[str, tuple[int, ...]]
    bits: dict[str, int]
    constants: dict[str, onnx.TensorProto]
    outputs: dict[str, Shape]

    @classmethod
    def of(cls, graph: onnx.GraphProto) -> _Scope:
        return cls(
            shapes=known_shapes(graph),
            bits=tensor_bits(graph),
            constants={tensor.name: tensor for tensor in graph.initializer},
            outputs={value.name: shape_of(value) for value in (*graph.value_info, *graph.output)},
        )

    def inside(self, graph: onnx.GraphProto) -> _Scope:
        """The scope of a graph in a node: its own tensors and those outside."""
        own = _Scope.of(graph)
        return _Scope(
            shapes=self.shapes | own.shapes,
            bits=self.bits | own.bits,
            constants=self.constants | own.constants,
            outputs=self.outputs | own.outputs,
        )


def _operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(operator_key(node) for node in all_nodes(model.graph.node) if node.op_type != "Constant")


def _layer(node: onnx.NodeProto, scope: _Scope, counted: set[str]) -> LayerFacts:
    return LayerFacts(
        name=node.name,
        op=operator_key(node),
        macs=_macs(node, scope),
        parameters=_parameters(node, scope, counted),
        output_shape=scope.outputs.get(node.output[0], (ANY_RANK,)) if node.output else (),
    )


def _macs(node: onnx.NodeProto, scope: _Scope) -> int | None:
    """MACs of ``node``: of the dearer branch for If, of one round for Loop and Scan; None where unknown."""
    try:
        total = node_macs(node, scope.shapes)
    except UnknownShapeError:
        return None
    branches = []
    for graph in subgraphs(node):
        inner = scope.inside(graph)
        counts = [_macs(child, inner) for child in graph.node]
        if None in counts:
            return None
        branches.append(sum(count for count in counts if count))
    return total + max(branches, default=0)


def _parameters(node: onnx.NodeProto, scope: _Scope, counted: set[str]) -> int:
    """Parameters of ``node`` and the graphs in it, without those of ``counted``, to which they are added."""
    total = 0
    for name in node.input:
        tensor = scope.constants.get(name)
        if (
            tensor is not None
            and name not in counted
            and ONNX_DTYPES[tensor.data_type][0] not in _NO_PARAMETERS
        ):
            packed = node.op_type == "MatMulNBits" and node.input[1] == name
            total += integer(node, "K") * integer(node, "N") if packed else math.prod(tensor.dims)
            counted.add(name)
    for graph in subgraphs(node):
        inner = scope.inside(graph)
        total += sum(_parameters(child, inner, counted) for child in graph.node)
    return total


def _weights_bytes(graph: onnx.GraphProto) -> int:
    own = sum(constant_bytes(tensor) for tensor in graph.initializer)
    return own + sum(_weights_bytes(inner) for node in graph.node for inner in subgraphs(node))


def _peak(graph: onnx.GraphProto, scope: _Scope) -> int | None:
    """Peak of ``graph``; None where the size of an activation that somebody uses is unknown."""
    inputs = {value.name for value in graph_inputs(graph)}
    outputs = {value.name for value in graph.output}
    steps = []
    for node in graph.node:
        inside = [_peak(inner, scope.inside(inner)) for inner in subgraphs(node)]
        if None in inside:
            return None
        activations = frozenset(uses(node) - scope.constants.keys())
        makes = frozenset(name for name in node.output if name)
        steps.append(Step(activations, makes, max((size for size in inside if size), default=0)))
    own = {name for step in steps for name in step.makes} | inputs
    used = {name for step in steps for name in step.uses} | outputs
    sizes = {name: packed_bytes(scope.shapes[name], scope.bits[name]) for name in own & _sized(scope)}
    return peak_bytes(steps, sizes, inputs, outputs) if own & used <= sizes.keys() else None


def _sized(scope: _Scope) -> set[str]:
    return scope.shapes.keys() & scope.bits.keys()


def _notes(model: Model, normal: onnx.ModelProto, uncounted: list[LayerFacts]) -> Iterator[str]:
    free = free_dimensions(model.inputs)
    yield from free
    yield from model.unknown_operators
    if uncounted and not free:
        names = ", ".join(f"'{layer.name}' ({layer.op})" for layer in uncounted[:3])
        yield f"MACs unknown where shapes could not be inferred: {names}{' …' if len(uncounted) > 3 else ''}"
    loops = [node.name for node in normal.graph.node if node.op_type in ("Loop", "Scan")]
    if loops:
        yield f"MACs of one round each are counted for: {', '.join(loops)}"
