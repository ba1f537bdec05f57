"""Cross-layer equalization: channels of a feature map that share one scale get more alike before ranges are chosen.

What a layer writes to a channel is divided by a factor, its weights and bias with it, and the weights of all that read
the channel are multiplied by it: the model says the same, and a channel of small values has more of the 256 steps
(Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction"; here on the peaks of
activations, because weights have a scale per channel anyway). Nothing of it costs at run time.
"""

from __future__ import annotations

import json
import math
import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit.models.constants import known_shapes
from edgekit.quantization.grading import inference_session
from edgekit.quantization.layers import Layer
from edgekit.quantization.ties import FIXED, Ints, Ties, absorbing_layers, factors_and_sums, rewritten, tied

Array = np.ndarray[Any, Any]
Divisors = Mapping[str, Ints]
"""By tensor, for each channel (axis 1): it is divided by ``2 ** (-steps / STEPS_PER_OCTAVE)``; at most 24 steps."""
STEPS_PER_OCTAVE = 4
FLOOR = 1 / 64
"""Peaks below this part of the map's count as this."""
DIGITS = string.digits + string.ascii_lowercase
KEY = "edgekit.equalized"


def equalize(
    model: onnx.ModelProto,
    tensors: Sequence[str],
    samples: Sequence[Mapping[str, Array]],
    exponents: Sequence[float],
    threads: int,
) -> list[onnx.ModelProto]:
    """``model`` (float, shapes inferred) with the channels of ``tensors`` more alike over ``samples``.

    One for each of the exponents (of a channel's peak over the map's) that changes anything. Its metadata say which
    channels were divided by what, and what is made of it by ``insert`` says so, too.
    """
    ties = tied(model.graph)
    free = [tensor for tensor in tensors if ties.knows(tensor) and ties.leads(tensor).any()]
    if not free:
        return []
    peaks = _peaks(model, free, samples, threads)
    ends = {
        name for node in rewritten(model.graph) for name in (*node.input, *node.output) if ties.knows(name)
    }
    made = []
    for exponent in exponents:
        steps = _steps(ties, peaks, exponent)
        found = {name: steps[ties.leads(name)] for name in sorted(ends)}
        divisors = {name: values for name, values in found.items() if values.any()}
        if divisors:
            made.append(divided(model, divisors))
    return made


def divided(model: onnx.ModelProto, divisors: Divisors) -> onnx.ModelProto:
    """A copy of ``model`` whose feature maps are divided, channel by channel."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in copy.graph.initializer}

    def factors(tensor: str) -> Array:
        return np.asarray(np.exp2(-np.asarray(divisors.get(tensor, [0])) / STEPS_PER_OCTAVE))

    for layer in absorbing_layers(copy.graph):
        before, after = factors(layer.node.input[0]), factors(layer.node.output[0])
        weights = (
            layer.weights
            * _by_input(layer, before)
            / after.reshape(layer.groups if after.size > 1 else 1, -1, 1)
        )
        _put(constants[layer.node.input[1]], layer.stored(weights))
        if layer.bias is not None:
            bias = constants[layer.node.input[2]]
            shape = tuple(bias.dims) if math.prod(bias.dims) == layer.bias.size else layer.bias.shape
            _put(bias, (layer.bias / after).reshape(shape))
    for constant in list(factors_and_sums(copy.graph)):
        before, after = factors(constant.map), factors(constant.node.output[0])
        if before.size == after.size == 1:
            continue
        factor = (before if constant.node.op_type == "Mul" else 1.0) / after
        name = f"{constant.node.name}/{constant.node.input[constant.place]}"
        values = constant.values * factor.reshape(-1, *[1] * (constant.values.ndim - 1))
        copy.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
        constant.node.input[constant.place] = name
    digits = {name: "".join(DIGITS[step] for step in steps) for name, steps in divisors.items()}
    helper.set_model_props(copy, {**_metadata(copy), KEY: json.dumps(digits)})
    return copy


def divisors_of(model: onnx.ModelProto) -> Divisors:
    """What ``model``, or the float model it was made from, was divided by; empty where it was not equalized."""
    digits: dict[str, str] = json.loads(_metadata(model).get(KEY, "{}"))
    return {name: np.array([DIGITS.index(digit) for digit in row]) for name, row in digits.items()}


def is_equalized(model: onnx.ModelProto) -> bool:
    """Whether :func:`divisors_of` has anything to say, without reading it."""
    return KEY in _metadata(model)


def _by_input(layer: Layer, factors: Array) -> Array:
    """``factors`` of the channels of its input, as the layer's weights meet them: [groups, 1, inputs]."""
    if factors.size == 1:
        return factors.reshape(1, 1, 1)
    under = layer.groups * layer.weights.shape[2] // factors.size  # values of a channel under the kernel
    return np.repeat(factors, under).reshape(layer.groups, 1, -1)


def _peaks(
    model: onnx.ModelProto, tensors: Sequence[str], samples: Sequence[Mapping[str, Array]], threads: int
) -> dict[str, Array]:
    """Largest distance from zero in each channel of ``tensors``."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph, shapes = copy.graph, known_shapes(model.graph)
    del graph.output[:]
    graph.initializer.append(numpy_helper.from_array(np.array([0, 0, -1]), "peaks/rows"))
    for tensor in tensors:
        names = [f"{tensor}/{part}" for part in ("rows", "distances", "peaks")]
        graph.node.append(helper.make_node("Reshape", [tensor, "peaks/rows"], names[:1]))
        graph.node.append(helper.make_node("Abs", names[:1], names[1:2]))
        graph.node.append(helper.make_node("GlobalMaxPool", names[1:2], names[2:]))
        graph.output.append(onnx.ValueInfoProto(name=names[2]))
    session = inference_session(copy, threads)
    peaks = {tensor: np.zeros(shapes[tensor][1], np.float32) for tensor in tensors}
    for sample in samples:
        for tensor, found in zip(tensors, session.run(None, dict(sample)), strict=True):
            peaks[tensor] = np.fmax(peaks[tensor], found.max(axis=0).reshape(-1))
    return peaks


def _steps(ties: Ties, peaks: Mapping[str, Array], exponent: float) -> Ints:
    """By the number of the channel that speaks for others: the largest part of its map's peak that one of them has."""
    parts = np.full(ties.count, -1.0)
    for tensor, values in peaks.items():
        np.maximum.at(parts, ties.leads(tensor), values / max(float(values.max()), np.finfo(np.float32).tiny))
    parts[parts < 0] = 1.0  # nothing is rounded there
    parts[FIXED] = 1.0
    octaves = -np.log2(parts.clip(FLOOR, 1)) * exponent
    return np.asarray(np.rint(octaves * STEPS_PER_OCTAVE), np.int64)


def _put(tensor: onnx.TensorProto, values: Array) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), tensor.name))


def _metadata(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}
