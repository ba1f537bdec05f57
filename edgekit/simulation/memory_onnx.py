"""What an ONNX graph makes a runtime keep: weights by class, buffers of activations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import onnx

from edgekit.models.constants import tensor_bits
from edgekit.models.dtypes import packed_bytes
from edgekit.models.model import Model
from edgekit.models.prepare import normal_form
from edgekit.models.shapes import graph_inputs
from edgekit.models.standins import integer
from edgekit.simulation.layer import convolution_kind
from edgekit.simulation.memory_buffers import Move, buffers_of
from edgekit.simulation.memory_holdings import Holdings, WeightClass
from edgekit.simulation.onnx_scope import CONVOLUTIONS, PRODUCTS, VIEWS, Scope, fused_results
from edgekit.simulation.operators import ONNX_KINDS


def onnx_holdings(model: Model, element_bytes: int) -> Holdings:
    """Holdings of ``model`` where floats of activations take ``element_bytes``. UnknownShapeError for a free shape."""
    graph = normal_form(model).graph
    scope = Scope.of(graph)
    fused = set(fused_results(graph, scope))
    sources = _sources(graph)
    scope = replace(scope, constants=scope.constants | sources.keys())
    nodes = [node for node in graph.node if any(name not in scope.constants for name in node.output)]
    moves = [_move(node, scope, fused) for node in nodes]
    inputs = [value.name for value in graph_inputs(graph)]
    outputs = [value.name for value in graph.output]
    bits = tensor_bits(graph)
    names = {name for move in moves for name in (*move.reads, *move.writes)} | {*inputs, *outputs}
    sizes = {
        name: packed_bytes(scope.shape(name), 8 * element_bytes if bits.get(name, 32) == 32 else bits[name])
        for name in names - scope.constants
    }
    edges = sum(packed_bytes(scope.shape(name), bits.get(name, 32)) for name in (*inputs, *outputs))
    weights = dict(_weights(nodes, scope, sources))
    return Holdings(
        weights=_sums(weights),
        largest=max((size for _, size in weights.values()), default=0),
        layers=sum(not move.view for move in moves),
        edges_bytes=edges,
        inner=buffers_of(moves, sizes, (), outputs),
        whole=buffers_of(moves, sizes, [name for name in inputs if name in sizes], outputs),
    )


def _move(node: onnx.NodeProto, scope: Scope, fused: set[str]) -> Move:
    reads = tuple(scope.activations(node))
    writes = tuple(name for name in node.output if name and scope.uses[name])
    kind = ONNX_KINDS.get(node.op_type)
    view = bool(reads) and (node.op_type in VIEWS or node.output[0] in fused)
    return Move(reads=reads, writes=writes[:1] if view else writes, view=view, in_place=kind == "elementwise")


def _sources(graph: onnx.GraphProto) -> dict[str, str]:
    """Results that are constant -> the constant they are made from: runtimes compute them before the first inference."""
    sources = {tensor.name: tensor.name for tensor in graph.initializer}
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        names = [name for name in node.input if name]
        if names and all(name in sources for name in names):
            sources |= dict.fromkeys(
                node.output, max((sources[name] for name in names), key=sizes.__getitem__)
            )
    return sources


def _weights(
    nodes: Sequence[onnx.NodeProto], scope: Scope, sources: Mapping[str, str]
) -> Iterator[tuple[str, tuple[WeightClass, int]]]:
    """Each constant that is read at inference, once: its class, its elements."""
    kinds: dict[str, WeightClass] = {}
    for node in nodes:
        for place, name in enumerate(node.input):
            if name in sources and kinds.get(sources[name], "other") == "other":
                kinds[sources[name]] = _class(node, place, scope)
    yield from ((name, (kind, scope.elements(name))) for name, kind in kinds.items())


def _class(node: onnx.NodeProto, place: int, scope: Scope) -> WeightClass:
    if CONVOLUTIONS.get(node.op_type) == place:
        shape, groups = scope.shape(node.input[place]), integer(node, "group", 1)
        kind = convolution_kind(shape[1] * groups, groups, math.prod(shape[2:]))
        return "windows" if kind == "conv" else "points" if kind == "pointwise" else "depthwise"
    return "products" if PRODUCTS.get(node.op_type) == place else "other"


def _sums(weights: Mapping[str, tuple[WeightClass, int]]) -> dict[WeightClass, int]:
    found: dict[WeightClass, int] = {}
    for kind, size in weights.values():
        found[kind] = found.get(kind, 0) + size
    return found
