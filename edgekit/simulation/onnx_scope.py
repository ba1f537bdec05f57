"""An ONNX graph seen as runtimes run it: what is constant, what only changes a view, what is fused into its maker."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from edgekit.models.constants import known_shapes
from edgekit.models.macs import UnknownShapeError
from edgekit.simulation.operators import FUSED_ACTIVATIONS

Shape = tuple[int, ...]
CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "FusedConv": 1, "QLinearConv": 3}
"""Where the filters stand among the inputs."""
PRODUCTS = {
    "Gemm": 1, "QGemm": 3, "MatMul": 1, "MatMulInteger": 1, "MatMulIntegerToFloat": 1, "MatMulNBits": 1,
    "DynamicQuantizeMatMul": 1, "FusedGemm": 1, "FusedMatMul": 1, "QLinearMatMul": 3,
}  # fmt: skip
VIEWS = (
    "QuantizeLinear",
    "DequantizeLinear",
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Cast",
)


@dataclass(frozen=True, slots=True)
class Scope:
    shapes: dict[str, Shape]
    constants: frozenset[str]
    """Initializers, and what only unpacks them."""
    makers: dict[str, onnx.NodeProto]
    uses: Counter[str]

    @classmethod
    def of(cls, graph: onnx.GraphProto) -> Scope:
        constants = {tensor.name for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type in VIEWS and node.input and node.input[0] in constants:
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
        while node is not None and node.op_type in VIEWS:
            node = self.makers.get(node.input[0])
        return node


def fused_results(graph: onnx.GraphProto, scope: Scope) -> Iterator[str]:
    """Results of activations that the operator before them computes, and of sigmoids in x * sigmoid(x)."""
    for node in graph.node:
        if node.op_type in FUSED_ACTIVATIONS and scope.uses[node.input[0]] == 1:
            before = scope.maker(node.input[0])
            if before is not None and (is_product(before) or before.op_type in ("Add", "Sum", "Mul", "Sub")):
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


def is_product(node: onnx.NodeProto) -> bool:
    return node.op_type in CONVOLUTIONS or node.op_type in PRODUCTS
