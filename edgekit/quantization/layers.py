"""Layers with constant weights as matrices: which there are, and the columns of input that their weights meet."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One Conv, Gemm or MatMul: ``outputs = weights @ inputs + bias``, for each group of channels on its own."""

    node: onnx.NodeProto
    weights: Array
    """[groups, outputs, inputs], float32; the inputs of a convolution are the values under its kernel."""
    bias: Array | None
    """[groups * outputs]"""
    kernel: tuple[int, ...]
    """The weights' shape in the file."""

    @property
    def groups(self) -> int:
        return int(self.weights.shape[0])

    def stored(self, values: Array) -> Array:
        """``values`` [groups, outputs, inputs] in the shape and order of the file."""
        flat = values.reshape(-1, values.shape[2])
        if self.node.op_type == "Conv":
            return flat.reshape(self.kernel)
        return flat if attributes_of(self.node).get("transB") else flat.T

    def columns(self, x: Array, count: int, turn: int) -> Array:
        """Up to ``count`` columns of inputs that the weights meet in ``x``, [groups, inputs, columns].

        Of a convolution: evenly spaced positions of the output, shifted a little with each ``turn``.
        """
        if self.node.op_type != "Conv":
            rows = x.reshape(-1, self.weights.shape[2])
            return rows[_spaced(len(rows), count, turn)].T[None]
        return self._patches(x, count, turn)

    def _patches(self, x: Array, count: int, turn: int) -> Array:
        attributes = attributes_of(self.node)
        sides = self.kernel[2:]
        strides = attributes.get("strides", [1] * len(sides))
        dilations = attributes.get("dilations", [1] * len(sides))
        begin, end = _padding(attributes, x.shape[2:], sides, strides, dilations)
        padded = np.pad(x[0], ((0, 0), *zip(begin, end, strict=True)))
        reach = [(side - 1) * dilation + 1 for side, dilation in zip(sides, dilations, strict=True)]
        outputs = [
            (size - far) // stride + 1
            for size, far, stride in zip(padded.shape[1:], reach, strides, strict=True)
        ]
        places = np.unravel_index(_spaced(math.prod(outputs), count, turn), outputs)
        index = []
        for axis, (place, side) in enumerate(zip(places, sides, strict=True)):
            under = np.arange(side)[:, None] * dilations[axis] + place * strides[axis]
            spread = [side if axis == other else 1 for other in range(len(sides))]
            index.append(under.reshape(*spread, len(place)))
        flat = np.ravel_multi_index(np.broadcast_arrays(*index), padded.shape[1:])
        patches = np.take(padded.reshape(len(padded), -1), flat.reshape(-1), axis=1)
        return patches.reshape(self.groups, self.weights.shape[2], -1)


def layers(graph: onnx.GraphProto) -> Iterator[Layer]:
    """The layers of a float ``graph`` in its order whose weights are constants that no other node uses."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    users = Counter(name for node in graph.node for name in node.input if name)
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in constants:
            continue
        attributes = attributes_of(node)
        scaled = attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0
        weights = numpy_helper.to_array(constants[node.input[1]])
        bias_name = node.input[2] if len(node.input) > 2 else ""
        shared = users[node.input[1]] > 1 or users[bias_name] > 1
        if shared or scaled or attributes.get("transA") or (node.op_type != "Conv" and weights.ndim != 2):
            continue
        if bias_name and bias_name not in constants:
            continue
        matrices = _matrices(node, attributes, weights)
        bias = numpy_helper.to_array(constants[bias_name]).reshape(-1) if bias_name else None
        outputs = matrices.shape[0] * matrices.shape[1]
        if bias is not None and bias.size not in (1, outputs):  # a row of its own for each row of input
            continue
        yield Layer(
            node=node,
            weights=matrices,
            bias=None if bias is None else np.broadcast_to(bias, outputs),
            kernel=weights.shape,
        )


def _matrices(node: onnx.NodeProto, attributes: dict[str, Any], weights: Array) -> Array:
    if node.op_type == "Conv":
        groups = attributes.get("group", 1)
        return weights.reshape(groups, weights.shape[0] // groups, -1)
    return (weights if attributes.get("transB") else weights.T)[None]


def _spaced(size: int, count: int, turn: int) -> Array:
    """``count`` of ``size`` places, evenly spaced; all of them where there are no more."""
    if size <= count:
        return np.arange(size)
    step = size / count
    golden = 0.6180339887498949  # turns fill the gaps of those before them
    return (np.arange(count) * step + turn * golden % 1 * step).astype(np.int64)


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """By name; those that are not written have their operator's defaults."""
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _padding(
    attributes: dict[str, Any],
    size: Sequence[int],
    sides: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[list[int], list[int]]:
    """Padding before and behind each spatial axis, as the operator's ``pads`` or ``auto_pad`` say."""
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto == "VALID":
        return [0] * len(sides), [0] * len(sides)
    if auto == "NOTSET":
        pads = attributes.get("pads", [0] * 2 * len(sides))
        return list(pads[: len(sides)]), list(pads[len(sides) :])
    begin, end = [], []
    for length, side, stride, dilation in zip(size, sides, strides, dilations, strict=True):
        reach = (side - 1) * dilation + 1
        total = max((-(-length // stride) - 1) * stride + reach - length, 0)
        small, large = total // 2, total - total // 2
        begin.append(small if auto == "SAME_UPPER" else large)
        end.append(large if auto == "SAME_UPPER" else small)
    return begin, end
