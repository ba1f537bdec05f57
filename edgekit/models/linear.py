"""Conv, ConvTranspose and Gemm with constant weights, seen alike: output channels that can be scaled and shifted."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from edgekit.models.walk import DEFAULT_DOMAINS

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


@dataclass(frozen=True, slots=True)
class Linear:
    """A node that makes ``channels`` output channels, on axis 1 of ``rank``."""

    node: onnx.NodeProto
    channels: int
    rank: int
    weight_view: tuple[int, ...]
    """The weight's shape with the output channels apart."""
    scale_view: tuple[int, ...]
    """The shape in which one number a channel multiplies ``weight_view``."""

    def scale_and_shift(
        self,
        graph: onnx.GraphProto,
        scale: npt.NDArray[np.float64],
        shift: npt.NDArray[np.float64],
        constants: dict[str, onnx.TensorProto],
        used: Counter[str],
    ) -> None:
        """Make the node compute ``y * scale + shift``; weights that others use, too, are copied first."""
        weight = numpy_helper.to_array(constants[self.node.input[1]])
        scaled = weight.astype(np.float64).reshape(self.weight_view) * scale.reshape(self.scale_view)
        bias = np.zeros(self.channels)
        if len(self.node.input) > 2 and self.node.input[2]:
            stored = numpy_helper.to_array(constants[self.node.input[2]]).astype(np.float64)
            bias = np.broadcast_to(stored.ravel(), (self.channels,))
        self._store(graph, 1, scaled.reshape(weight.shape).astype(weight.dtype), constants, used)
        self._store(graph, 2, (bias * scale + shift).astype(weight.dtype), constants, used)

    def _store(
        self,
        graph: onnx.GraphProto,
        index: int,
        value: npt.NDArray[np.generic],
        constants: dict[str, onnx.TensorProto],
        used: Counter[str],
    ) -> None:
        """Let input ``index`` of the node be ``value``, under its old name where nobody else uses it."""
        old = self.node.input[index] if index < len(self.node.input) else ""
        if old and used[old] == 1:
            constants[old].CopyFrom(numpy_helper.from_array(value, old))
            return
        name = _free_name(old or f"{self.node.input[1]}/bias", self.node.output[0], constants)
        graph.initializer.append(numpy_helper.from_array(value, name))
        constants[name] = graph.initializer[-1]
        used[name] = 1
        self.node.input.extend([""] * (index + 1 - len(self.node.input)))
        self.node.input[index] = name


def _free_name(base: str, output: str, constants: dict[str, onnx.TensorProto]) -> str:
    name = f"{base}/{output}"
    while name in constants:
        name += "'"
    return name


def linear_of(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> Linear | None:
    """``node`` as a Linear; None where it is none, or its weight or bias is not a float constant."""
    parameters = [name for name in node.input[1:3] if name]
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm") or node.domain not in DEFAULT_DOMAINS:
        return None
    if not all(name in constants and constants[name].data_type in _FLOATS for name in parameters):
        return None
    shape = tuple(constants[node.input[1]].dims)
    linear = _gemm(node, shape) if node.op_type == "Gemm" else _convolution(node, shape)
    if linear is None or len(parameters) < 2:
        return linear
    bias = tuple(constants[node.input[2]].dims)
    fits = math.prod(bias) in (1, linear.channels) and bias[:-1] in ((), (1,))
    return linear if fits else None


def _convolution(node: onnx.NodeProto, shape: tuple[int, ...]) -> Linear | None:
    if len(shape) < 3:
        return None
    ones = (1,) * (len(shape) - 2)
    if node.op_type == "Conv":
        return Linear(node, shape[0], len(shape), shape, (-1, 1, *ones))
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    if groups < 1 or shape[0] % groups:
        return None
    view = (groups, shape[0] // groups, *shape[1:])
    return Linear(node, shape[1] * groups, len(shape), view, (groups, 1, -1, *ones))


def _gemm(node: onnx.NodeProto, shape: tuple[int, ...]) -> Linear | None:
    """Only those whose factors are 1."""
    given = {attribute.name: attribute for attribute in node.attribute}
    factors = [given[name].f for name in ("alpha", "beta") if name in given]
    if len(shape) != 2 or any(factor != 1 for factor in factors):
        return None
    transposed = "transB" in given and bool(given["transB"].i)
    return Linear(node, shape[0 if transposed else 1], 2, shape, (-1, 1) if transposed else (1, -1))
