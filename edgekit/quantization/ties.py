"""Which channels of which feature maps can be divided by one factor so that the model says the same.

Rules
1. Conv and Gemm whose weights and bias are constants of their own take up factors on either side, and so does a
   product with a constant for each channel, or for all.
2. What is positively homogeneous and keeps channels apart hands factors on: ``HOMOGENEOUS``, padding with zeros, and
   reshaping to one row.
3. Both terms of a sum, and the sum, have the same factors; a concatenation of channels has those of its parts; a
   product or quotient those of the map, where the other operand keeps to its values. A sum with a constant hands them on.
4. All that anything else reads or writes, and inputs and outputs of the model, keep their values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from edgekit.models.constants import known_shapes
from edgekit.models.walk import subgraphs
from edgekit.quantization.layers import Layer, layers

Array = np.ndarray[Any, Any]
Ints = npt.NDArray[np.int64]

HOMOGENEOUS = frozenset(
    {
        "AveragePool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Identity",
        "LeakyRelu",
        "MaxPool",
        "PRelu",
        "Relu",
        "Resize",
    }
)
FIXED = 0
"""The number of all channels that keep their values."""


class Ties:
    """Channels that must have one factor."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._shapes = known_shapes(graph)
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._leads = [FIXED]
        self._channels: dict[str, Ints] = {}

    def knows(self, tensor: str) -> bool:
        return tensor in self._channels

    @property
    def count(self) -> int:
        return len(self._leads)

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self._shapes.get(tensor, ())

    def channels(self, tensor: str) -> Ints:
        """Numbers of the tensor's channels."""
        if tensor not in self._channels:
            shape = self.shape(tensor)
            if len(shape) < 2 or (tensor in self._constants and self._says_anything(tensor)):
                self._channels[tensor] = np.full(shape[1] if len(shape) > 1 else 1, FIXED)
            else:
                self._channels[tensor] = np.arange(shape[1]) + self.count
                self._leads += self._channels[tensor].tolist()
        return self._channels[tensor]

    def leads(self, tensor: str) -> Ints:
        """For each channel the one that speaks for all it is tied to; 0 where values stay."""
        return np.array([self._lead(number) for number in self.channels(tensor).tolist()])

    def tie(self, some: Ints, others: Ints) -> None:
        for a, b in zip(some.tolist(), others.tolist(), strict=True):
            low, high = sorted((self._lead(a), self._lead(b)))
            self._leads[high] = low

    def fix(self, *tensors: str) -> None:
        for tensor in filter(None, tensors):
            numbers = self.channels(tensor)
            self.tie(numbers, np.full_like(numbers, FIXED))

    def is_constant(self, tensor: str) -> bool:
        return tensor in self._constants

    def _says_anything(self, constant: str) -> bool:
        """Zeros are the same after any division."""
        return bool(numpy_helper.to_array(self._constants[constant]).any())

    def _lead(self, number: int) -> int:
        while self._leads[number] != number:
            self._leads[number] = self._leads[self._leads[number]]
            number = self._leads[number]
        return number


def tied(graph: onnx.GraphProto) -> Ties:
    ties = Ties(graph)
    absorbing = {layer.node.name: layer.node.input[0] for layer in absorbing_layers(graph)}
    sums: dict[str, str] = {}
    for item in factors_and_sums(graph):
        (absorbing if item.node.op_type == "Mul" else sums)[item.node.name] = item.map
    ties.fix(*(value.name for value in (*graph.input, *graph.output)))
    inner = any(list(subgraphs(node)) for node in graph.node)  # what these read is named nowhere else
    for node in graph.node:
        if node.name in absorbing and not inner:
            ties.channels(absorbing[node.name])
            ties.channels(node.output[0])
        elif node.name in sums and not inner:
            ties.tie(ties.channels(sums[node.name]), ties.channels(node.output[0]))
        elif inner or not _hands_on(node, ties):
            ties.fix(*node.input, *node.output)
    return ties


def _hands_on(node: onnx.NodeProto, ties: Ties) -> bool:
    """Tie what ``node`` writes to what it reads; False where it cannot hand on factors."""
    shape = ties.shape(node.output[0])
    if len(shape) < 2 or len(node.output) > 1:
        return False
    parts: list[Ints] = []
    handed: Sequence[str] = node.input[:1]
    match node.op_type:
        case "Add" | "Sub" if all(ties.shape(name) == shape for name in node.input):
            handed = node.input
            parts = [ties.channels(name) for name in handed]
        case "Concat" if _attribute(node, "axis", 0) % len(shape) == 1:
            handed = node.input
            parts = [np.concatenate([ties.channels(name) for name in handed])]
        case "Mul" | "Div":
            sides = node.input if node.op_type == "Mul" else node.input[:1]
            handed = [name for name in sides if ties.shape(name) == shape and not ties.is_constant(name)][:1]
            parts = [ties.channels(name) for name in handed]
            if len(set(node.input)) == 1:  # squared
                return False
        case "Flatten" | "Reshape" | "Squeeze" if shape == _as_row(ties.shape(node.input[0])):
            channels = ties.channels(node.input[0])
            parts = [np.repeat(channels, shape[1] // len(channels))]
        case operator if operator in HOMOGENEOUS or (operator == "Pad" and _pads_with_zeros(node)):
            parts = [ties.channels(node.input[0])]
        case _:
            pass
    made = ties.channels(node.output[0])
    if not parts or any(len(part) != len(made) for part in parts):
        return False
    for part in parts:
        ties.tie(part, made)
    ties.fix(*(name for name in node.input if name not in handed and not ties.is_constant(name)))
    return True


def _as_row(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], math.prod(shape[1:])) if len(shape) > 1 else ()


def _pads_with_zeros(node: onnx.NodeProto) -> bool:
    return len(node.input) < 3 or not node.input[2]


@dataclass(frozen=True, slots=True)
class PerChannel:
    """A product or sum of a map with one constant for each channel, or for all."""

    node: onnx.NodeProto
    map: str
    place: int
    """Which input of the node is the constant."""
    values: Array
    """[channels or 1, 1, ...], of the rank of the map without its first axis."""


def factors_and_sums(graph: onnx.GraphProto) -> Iterator[PerChannel]:
    constants, shapes = {tensor.name: tensor for tensor in graph.initializer}, known_shapes(graph)
    for node in graph.node:
        if node.op_type not in ("Add", "Mul") or len({*node.input} & constants.keys()) != 1:
            continue
        place = 0 if node.input[0] in constants else 1
        name, shape = node.input[1 - place], shapes.get(node.output[0], ())
        values = numpy_helper.to_array(constants[node.input[place]])
        if len(shape) < 2 or shapes.get(name) != shape or values.ndim > len(shape):
            continue
        sides = (1,) * (len(shape) - values.ndim) + values.shape
        if sides[1] == values.size and values.size in (1, shape[1]):
            yield PerChannel(node, name, place, values.reshape(sides[1:]))


def absorbing_layers(graph: onnx.GraphProto) -> list[Layer]:
    return [layer for layer in layers(graph) if layer.node.op_type in ("Conv", "Gemm")]


def rewritten(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    layers_ = [layer.node for layer in absorbing_layers(graph)]
    return layers_ + [item.node for item in factors_and_sums(graph)]


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)
