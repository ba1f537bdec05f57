"""The layers of an ONNX graph, with the fusions that runtimes make."""

from __future__ import annotations

import math
from collections.abc import Iterable

import onnx

from edgekit.errors import ModelError
from edgekit.models.macs import UnknownShapeError, node_macs
from edgekit.models.model import Model
from edgekit.models.prepare import normal_form
from edgekit.models.standins import integer
from edgekit.models.walk import CONTRIB_DOMAIN, DEFAULT_DOMAINS, label, operator_key
from edgekit.simulation.layer import Layer, convolution_kind, plain, product, stride_of
from edgekit.simulation.onnx_scope import CONVOLUTIONS, PRODUCTS, Scope, fused_results
from edgekit.simulation.operators import FREE, ONNX_KINDS


def onnx_layers(model: Model) -> tuple[Layer, ...]:
    """The layers of ``model`` in running order; ModelError where an operator or a shape is unknown."""
    graph = normal_form(model).graph
    scope = Scope.of(graph)
    fused = set(fused_results(graph, scope))
    return tuple(
        layer.named(node.name, operator_key(node))
        for node in graph.node
        if node.output[0] not in fused
        for layer in _layers(str(model.path), node, scope)
    )


def _layers(where: str, node: onnx.NodeProto, scope: Scope) -> Iterable[Layer]:
    kind = ONNX_KINDS.get(node.op_type) if node.domain in (*DEFAULT_DOMAINS, CONTRIB_DOMAIN) else None
    try:
        if node.op_type in CONVOLUTIONS:
            return [_convolution(node, scope)]
        if node.op_type in PRODUCTS:
            return [_product(node, scope)]
        if kind == FREE or (kind is not None and all(name in scope.constants for name in node.input if name)):
            return []
        if kind is not None:
            writes = sum(scope.elements(name) for name in node.output if name and scope.uses[name])
            return [plain(kind, reads=scope.reads(node), writes=writes)]
    except UnknownShapeError as error:
        raise ModelError(
            f"{where}: {label(node)}: the shape of '{error}' is not known before it runs; "
            "fix the inputs with --shape, or export the model with fixed shapes"
        ) from None
    raise ModelError(f"{where}: {label(node)} is an operator that predictions know no time for")


def _convolution(node: onnx.NodeProto, scope: Scope) -> Layer:
    weights = scope.shape(node.input[CONVOLUTIONS[node.op_type]])
    given, made = scope.shape(node.input[0]), scope.shape(node.output[0])
    groups, kernel = integer(node, "group", 1), math.prod(weights[2:])
    return Layer(
        kind=convolution_kind(given[1], groups, kernel),
        macs=node_macs(node, scope.shapes),
        weights=math.prod(weights),
        reads=math.prod(given),
        writes=math.prod(made),
        in_channels=given[1],
        out_channels=made[1],
        kernel=kernel,
        stride=1 if node.op_type == "ConvTranspose" else stride_of(given[-1], made[-1]),
        dilation=_dilation(node) if kernel > 1 else 1,
    )


def _dilation(node: onnx.NodeProto) -> int:
    return max((step for item in node.attribute if item.name == "dilations" for step in item.ints), default=1)


def _product(node: onnx.NodeProto, scope: Scope) -> Layer:
    macs, made = node_macs(node, scope.shapes), scope.shape(node.output[0])
    return product(
        macs=macs,
        reads=scope.reads(node),
        writes=math.prod(made),
        columns=made[-1],
        is_constant=node.input[PRODUCTS[node.op_type]] in scope.constants,
    )
