"""Fold what scales and shifts each channel after a convolution into the convolution.

Rules
1. Of ``BatchNormalization`` (at inference), ``Add``, ``Sub``, ``Mul`` and ``Div`` with one constant a channel or
   one for all, directly after ``Conv``, ``ConvTranspose`` or ``Gemm``: ``y = x * scale + shift`` goes into
   weight and bias. MatMul is left as it is, so that what looks for ``MatMul`` with a constant finds it.
2. Only where nobody else uses the convolution's result (an output of the graph is a use) and its weight and
   bias are constants.
3. The convolution keeps its node name and makes what the folded node made.

Computed in float64 and rounded once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from edgekit.models.editing import prune, set_nodes, use_counts
from edgekit.models.linear import Linear, linear_of
from edgekit.models.walk import DEFAULT_DOMAINS

Array = npt.NDArray[np.float64]
_FOLDED = ("BatchNormalization", "Add", "Sub", "Mul", "Div")


@dataclass(frozen=True, slots=True)
class Affine:
    """``y = x * scale + shift``, one value an output channel."""

    scale: Array
    shift: Array


def fold_affine(graph: onnx.GraphProto) -> None:
    """Fold everywhere in ``graph``; see the rules above."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    used = use_counts(graph)
    makers: dict[str, Linear] = {}
    kept = []
    for node in graph.node:
        before = _linear_before(node, makers, used)
        affine = _affine(node, before, constants) if before else None
        if before and affine:
            before.scale_and_shift(graph, affine.scale, affine.shift, constants, used)
            before.node.output[0] = node.output[0]
            makers[node.output[0]] = before
            continue
        kept.append(node)
        if linear := linear_of(node, constants):
            makers[node.output[0]] = linear
    if len(kept) < len(graph.node):
        set_nodes(graph, kept)
        prune(graph)


def _linear_before(node: onnx.NodeProto, makers: dict[str, Linear], used: Counter[str]) -> Linear | None:
    """The convolution whose result only ``node`` uses."""
    if node.op_type not in _FOLDED or node.domain not in DEFAULT_DOMAINS:
        return None
    # a constant minus or divided by the result is no affine of the result that is worth a rule
    data = node.input[:2] if node.op_type in ("Add", "Mul") else node.input[:1]
    return next((makers[name] for name in data if name in makers and used[name] == 1), None)


def _affine(node: onnx.NodeProto, before: Linear, constants: dict[str, onnx.TensorProto]) -> Affine | None:
    if node.op_type == "BatchNormalization":
        return _batch_norm(node, before.channels, constants)
    other = next(name for name in node.input if name != before.node.output[0])
    if other not in constants:
        return None
    value = _per_channel(numpy_helper.to_array(constants[other]), before)
    if value is None:
        return None
    ones, zeros = np.ones(before.channels), np.zeros(before.channels)
    match node.op_type:
        case "Add":
            return Affine(ones, value)
        case "Sub":
            return Affine(ones, -value)
        case "Mul":
            return Affine(value, zeros)
        case _:
            return Affine(1 / value, zeros) if np.all(value) else None


def _batch_norm(node: onnx.NodeProto, channels: int, constants: dict[str, onnx.TensorProto]) -> Affine | None:
    given = {attribute.name: attribute for attribute in node.attribute}
    trains = any(node.output[1:]) or ("training_mode" in given and given["training_mode"].i)
    per_activation = "spatial" in given and not given["spatial"].i
    stored = [constants[name] for name in node.input[1:5] if name in constants]
    if trains or per_activation or [tuple(tensor.dims) for tensor in stored] != [(channels,)] * 4:
        return None
    scale, bias, mean, variance = (numpy_helper.to_array(tensor).astype(np.float64) for tensor in stored)
    epsilon = given["epsilon"].f if "epsilon" in given else 1e-5
    factor = scale / np.sqrt(variance + epsilon)
    return Affine(factor, bias - mean * factor)


def _per_channel(value: npt.NDArray[np.generic], before: Linear) -> Array | None:
    """``value`` as one number a channel; None where it varies over anything else, or adds dimensions."""
    if value.ndim > before.rank or value.dtype.kind != "f":
        return None
    shape = (1,) * (before.rank - value.ndim) + value.shape
    if any(side != 1 for axis, side in enumerate(shape) if axis != 1) or shape[1] not in (1, before.channels):
        return None
    return np.broadcast_to(value.astype(np.float64).ravel(), (before.channels,))
