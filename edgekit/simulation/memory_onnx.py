"""What an ONNX graph makes a runtime keep: weights by class, buffers of activations."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import onnx

from edgekit.models.constants import tensor_bits
from edgekit.models.dtypes import packed_bytes
from edgekit.models.model import Model
from edgekit.models.prepare import normal_form
from edgekit.models.shapes import graph_inputs
from edgekit.models.standins import integer
from edgekit.quantization.placement import QUANTIZED_OPERATORS, float_nodes
from edgekit.simulation.layer import convolution_kind
from edgekit.simulation.memory_buffers import Move
from edgekit.simulation.memory_holdings import Holdings, WeightClass
from edgekit.simulation.onnx_scope import CONVOLUTIONS, PRODUCTS, VIEWS, Scope, fused_results, is_product
from edgekit.simulation.operators import FUSED_ACTIVATIONS, ONNX_KINDS

_BLOCK = 8
"""Channels of the narrowest block of onnxruntime's layout for images."""
_MLAS_CHANNELS = 4
"""Of an input, that onnxruntime's integer kernels take at once."""
_BLOCKED_CONVOLUTIONS = {"Conv", "FusedConv", "QLinearConv"}
_FOLLOWS = {
    "Add", "AveragePool", "Concat", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "Mul", "Relu", "Sigmoid", "Sum",
    "Tanh",
}  # fmt: skip
"""What onnxruntime computes in that layout too, where all it reads is there in it."""
_INTEGERS = ("QLinear", "QGemm", "ConvInteger", "MatMulInteger")
"""How the names of operators begin that compute in integers by themselves."""
_NOT_IN_INTEGERS = {"ConvTranspose", "Pad", "ReduceMean"}
"""What onnxruntime 1.32 computes in floats between integers, with a conversion before and behind it; a Resize, too,
but for the nearest pixel."""
_APART = {
    "ArgMax", "ArgMin", "Cast", "CumSum", "Equal", "Erf", "Expand", "Gather", "GatherElements", "GatherND", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "NonMaxSuppression", "OneHot", "ReduceMax", "ReduceMin", "ReduceProd",
    "ScatterElements", "ScatterND", "Tile", "TopK", "Where",
}  # fmt: skip
"""What becomes a TFLite operator that XNNPACK does not compute."""


def onnx_holdings(model: Model, element_bytes: int) -> Holdings:
    """Holdings of ``model`` where floats of activations take ``element_bytes``. UnknownShapeError for a free shape."""
    graph = normal_form(model).graph
    scope = Scope.of(graph)
    fused = set(fused_results(graph, scope))
    sources = _sources(graph)
    scope = replace(scope, constants=scope.constants | sources.keys())
    nodes = [node for node in graph.node if any(name not in scope.constants for name in node.output)]
    in_float = _in_float(graph)
    moves = [_move(node, scope, fused, in_float) for node in nodes]
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
        narrow=_sums({name: item for name, item in weights.items() if bits.get(name) == 8}),
        tables=sum(weights[name][1] for name in _float_tables(nodes, sources) if name in weights),
        largest=max((size for _, size in weights.values()), default=0),
        moves=tuple(moves),
        sizes_bytes=sizes,
        element_bytes=element_bytes,
        inputs=tuple(name for name in inputs if name in sizes),
        outputs=tuple(name for name in outputs if name in sizes),
        edges_bytes=edges,
    )


def _move(node: onnx.NodeProto, scope: Scope, fused: set[str], in_float: set[str]) -> Move:
    reads = tuple(scope.activations(node))
    writes = tuple(name for name in node.output if name and scope.uses[name])
    is_fused = node.output[0] in fused
    kind = ONNX_KINDS.get(node.op_type)
    view = bool(reads) and (node.op_type in VIEWS or is_fused)
    return Move(
        reads=reads,
        writes=writes[:1] if view else writes,
        view=view,
        in_place=kind == "elementwise",
        image=_image(node, scope, reads, is_fused=is_fused),
        alone=node.op_type == "Clip" and not _follows_product(node, scope),
        in_float=node.name in in_float,
        only_floats=node.op_type in _NOT_IN_INTEGERS or (node.op_type == "Resize" and not _is_nearest(node)),
        apart=node.op_type in _APART or (node.op_type == "Resize" and _is_nearest(node)),
        sums=_sums_apart(node, scope),
        windows=_addresses(node, scope),
        positions=_positions(node, scope),
    )


def _in_float(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that stay in float: where edgekit quantizes the graph, or as its own quantizations have it."""
    rounded = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    if not rounded & {name for node in graph.node for name in node.output}:
        kept = set(float_nodes(graph).all)
        return kept | {node.name for node in graph.node if _is_left(node, QUANTIZED_OPERATORS)}
    for node in reversed(graph.node):
        if node.output[0] in rounded and (node.op_type in FUSED_ACTIVATIONS or node.op_type in VIEWS):
            rounded.add(node.input[0])
    return {node.name for node in graph.node if node.output[0] not in rounded and _is_left(node, ())}


def _is_left(node: onnx.NodeProto, quantized: Collection[str]) -> bool:
    return node.op_type not in quantized and not node.op_type.startswith(_INTEGERS)


def _image(
    node: onnx.NodeProto, scope: Scope, reads: tuple[str, ...], *, is_fused: bool
) -> Literal["convolution", "first", "follows", "plain"]:
    if node.op_type in _BLOCKED_CONVOLUTIONS:
        if scope.shape(node.output[0])[1] < _BLOCK:
            return "plain"
        return "first" if scope.shape(node.input[0])[1] < _BLOCK else "convolution"
    whole = len(reads) == sum(bool(name) for name in node.input) or ONNX_KINDS.get(node.op_type) == "pool"
    return "follows" if is_fused or (node.op_type in _FOLLOWS and whole) else "plain"


def _follows_product(node: onnx.NodeProto, scope: Scope) -> bool:
    before = scope.maker(node.input[0])
    return before is not None and is_product(before)


def _is_nearest(node: onnx.NodeProto) -> bool:
    return all(item.name != "mode" or item.s == b"nearest" for item in node.attribute)


def _sums_apart(node: onnx.NodeProto, scope: Scope) -> bool:
    """MLAS has kernels that round as they go (``MlasConvSym``) for channels in fours, and for one by one."""
    if node.op_type not in CONVOLUTIONS:
        return False
    width = scope.shape(node.input[CONVOLUTIONS[node.op_type]])[1]
    return width % _MLAS_CHANNELS != 0 and (width > 1 or integer(node, "group", 1) == 1)


def _positions(node: onnx.NodeProto, scope: Scope) -> int:
    if node.op_type not in CONVOLUTIONS:
        return 0
    window = math.prod(scope.shape(node.input[CONVOLUTIONS[node.op_type]])[2:])
    return window * math.prod(scope.shape(node.output[0])[2:]) if window > 1 else 0


def _addresses(node: onnx.NodeProto, scope: Scope) -> int:
    """Of a k x k window k * k for each place of the result; where each channel has its own, a row of k."""
    if node.op_type not in CONVOLUTIONS:
        return 0
    weights, made = scope.shape(node.input[CONVOLUTIONS[node.op_type]]), scope.shape(node.output[0])
    window, places = math.prod(weights[2:]), math.prod(made[2:])
    if window == 1:
        return 0
    if node.op_type == "ConvTranspose":
        # each place of the input spreads over a window, so a place of the result reads window / strides of them
        return math.prod(scope.shape(node.input[0])[2:]) * window
    return places * (weights[2] if integer(node, "group", 1) > 1 else window)


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


def _float_tables(nodes: Sequence[onnx.NodeProto], sources: Mapping[str, str]) -> set[str]:
    """Constants that rows are taken of, where no product reads the rows."""
    multiplied = {name for node in nodes if is_product(node) for name in node.input}
    return {
        sources[node.input[0]]
        for node in nodes
        if node.op_type == "Gather" and node.input[0] in sources and node.output[0] not in multiplied
    }


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
