"""The layers of an ONNX graph, with the fusions that runtimes make."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx

from edgekit.errors import ModelError
from edgekit.models.constants import known_shapes
from edgekit.models.macs import UnknownShapeError, node_macs
from edgekit.models.model import Model
from edgekit.models.prepare import normal_form
from edgekit.models.standins import integer
from edgekit.models.walk import CONTRIB_DOMAIN, DEFAULT_DOMAINS, label
from edgekit.simulation.layer import Layer, convolution_kind, plain, product, stride_of
from edgekit.simulation.operators import FREE, FUSED_ACTIVATIONS, ONNX_KINDS

Shape = tuple[int, ...]
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "FusedConv": 1, "QLinearConv": 3}
"""Where the filters stand among the inputs."""
_PRODUCTS = {
    "Gemm": 1, "QGemm": 3, "MatMul": 1, "MatMulInteger": 1, "MatMulIntegerToFloat": 1, "MatMulNBits": 1,
    "DynamicQuantizeMatMul": 1, "FusedGemm": 1, "FusedMatMul": 1, "QLinearMatMul": 3,
}  # fmt: skip
_VIEWS = (
    "QuantizeLinear",
    "DequantizeLinear",
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Cast",
)


def onnx_layers(model: Model) -> tuple[Layer, ...]:
    """The layers of ``model`` in running order; ModelError where an operator or a shape is unknown."""
    graph = normal_form(model).graph
    scope = _Scope.of(graph)
    fused = set(_fused(graph, scope))
    return tuple(
        layer
        for node in graph.node
        if node.output[0] not in fused
        for layer in _layers(str(model.path), node, scope)
    )


@dataclass(frozen=True, slots=True)
class _Scope:
    shapes: dict[str, Shape]
    constants: frozenset[str]
    """Initializers, and what only unpacks them."""
    makers: dict[str, onnx.NodeProto]
    uses: Counter[str]

    @classmethod
    def of(cls, graph: onnx.GraphProto) -> _Scope:
        constants = {tensor.name for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type in _VIEWS and node.input and node.input[0] in constants:
                constants.update(node.output)
        used = Counter(name for node in graph.node for name in node.input if name)
        used.update(value.name for value in graph.output)
        return cls(
            shapes=known_shapes(graph),
            constants=frozenset(constants),
            makers={name: node for node in graph.node for name in node.output},
            uses=used,
        )

    def shape(self, name: str) -> Shape:
        if name not in self.shapes:
            raise UnknownShapeError(name)
        return self.shapes[name]

    def elements(self, name: str) -> int:
        return math.prod(self.shape(name))

    def reads(self, node: onnx.NodeProto) -> int:
        """Elements of the activations that ``node`` reads."""
        return sum(map(self.elements, self.activations(node)))

    def activations(self, node: onnx.NodeProto) -> Iterator[str]:
        return (name for name in node.input if name and name not in self.constants)

    def maker(self, name: str) -> onnx.NodeProto | None:
        """What computes ``name``, behind what only changes how it is seen."""
        node = self.makers.get(name)
        while node is not None and node.op_type in _VIEWS:
            node = self.makers.get(node.input[0])
        return node


def _fused(graph: onnx.GraphProto, scope: _Scope) -> Iterator[str]:
    """Results of activations that the operator before them computes, and of sigmoids in x * sigmoid(x)."""
    for node in graph.node:
        if node.op_type in FUSED_ACTIVATIONS and scope.uses[node.input[0]] == 1:
            before = scope.maker(node.input[0])
            if before is not None and (_is_product(before) or before.op_type in ("Add", "Sum", "Mul", "Sub")):
                yield node.output[0]
        if node.op_type == "Mul":
            yield from (
                maker.output[0]
                for name, other in (node.input, reversed(node.input))
                if (maker := scope.makers.get(name)) is not None
                and maker.op_type in ("Sigmoid", "HardSigmoid")
                and maker.input[0] == other
                and scope.uses[name] == 1
            )


def _is_product(node: onnx.NodeProto) -> bool:
    return node.op_type in _CONVOLUTIONS or node.op_type in _PRODUCTS


def _layers(where: str, node: onnx.NodeProto, scope: _Scope) -> Iterable[Layer]:
    kind = ONNX_KINDS.get(node.op_type) if node.domain in (*DEFAULT_DOMAINS, CONTRIB_DOMAIN) else None
    try:
        if node.op_type in _CONVOLUTIONS:
            return [_convolution(node, scope)]
        if node.op_type in _PRODUCTS:
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


def _convolution(node: onnx.NodeProto, scope: _Scope) -> Layer:
    weights = scope.shape(node.input[_CONVOLUTIONS[node.op_type]])
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
    )


def _product(node: onnx.NodeProto, scope: _Scope) -> Layer:
    macs, made = node_macs(node, scope.shapes), scope.shape(node.output[0])
    return product(
        macs=macs,
        reads=scope.reads(node),
        writes=math.prod(made),
        columns=made[-1],
        is_constant=node.input[_PRODUCTS[node.op_type]] in scope.constants,
    )
