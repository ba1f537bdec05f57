"""Choose the integers of a QDQ graph's weights layer by layer, on what the layers before really hand on.

Both models run side by side over some samples, the float one and the quantized one. At each layer the weights are
first moved to where they make the best of the quantized input (ridge regression towards the float output), then
rounded with compensation of the error; the bias takes what is left of the mean. Nothing of it costs at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from edgekit.models.constants import known_shapes
from edgekit.quantization.compensation import compensate, damped
from edgekit.quantization.layers import Layer, layers
from edgekit.quantization.segments import Segments
from edgekit.quantization.watching import mask_input

Array = np.ndarray[Any, Any]
Floats = npt.NDArray[np.float64]

COLUMNS_PER_INPUT, FEWEST_COLUMNS, MOST_COLUMNS = 8, 4096, 8192
"""Columns of input that a layer is fitted on, over all samples: a few for each number that is estimated, and of small
layers enough to see the rare large values (PP-OCRv4 detection: half a decibel on other images, from 1024)."""
PULL = 4.0
"""How strongly a layer's weights are held to the float ones, in mean second moments of its input. With a hundredth of it
EfficientNet-Lite0 fits the samples' noise and loses 7 dB on others."""
BIAS_LIMIT = 2**30
"""Largest integer of a float bias: half of int32, which leaves room for what the fit adds."""
WIDEST = 4608
"""Inputs above which a layer keeps plain rounding: the curvature's inverse would take minutes."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Means over the columns, after the means were taken out where a bias can hold them."""

    curvature: Floats
    """Quantized input with itself, [groups, inputs, inputs]."""
    crossed: Floats
    """Float input with quantized input."""
    mean: Floats
    """Of the quantized input, [groups, inputs]."""
    float_mean: Floats


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where the QDQ graph keeps a layer's integers."""

    node: onnx.NodeProto
    weights: onnx.NodeProto
    """The DequantizeLinear nodes of weights and bias."""
    bias: onnx.NodeProto | None


def round_weights(
    source: onnx.ModelProto,
    quantized: onnx.ModelProto,
    samples: Sequence[Mapping[str, Array]],
    *,
    limit: int,
    threads: int,
    seen: Callable[[int, int, str], None] = lambda done, total, layer: None,
) -> int:
    """Change weights, their scales and biases in ``quantized`` (made of ``source``); return how many layers.

    limit: largest integer of a weight. seen: called before each layer with its number, their count and its name.
    """
    stored = _stored_layers(quantized)
    todo = [
        layer
        for layer in layers(source.graph)
        if layer.node.name in stored and layer.weights.shape[2] <= WIDEST
    ]
    mask = mask_input(source.graph, known_shapes(source.graph))
    kept = [sample[mask][0] != 0 for sample in samples] if mask else None
    floats, integers = Segments(source, samples, threads), Segments(quantized, samples, threads)
    for number, layer in enumerate(todo):
        seen(number, len(todo), layer.node.name)
        place = stored[layer.node.name]
        floats.advance(layer.node.input[0])
        integers.advance(place.node.input[0])
        moments = _moments(layer, place.node.input[0], floats, integers, kept)
        target = _fitted(layer.weights, moments)
        step, _ = integers.scale(place.node.input[0])
        scales = _scales(target, limit, layer.bias, step)
        chosen = compensate(target, damped(moments.curvature), scales, limit)
        _write(layer, place, integers, moments, chosen, scales)
    return len(todo)


def _stored_layers(quantized: onnx.ModelProto) -> dict[str, _Stored]:
    """Quantized layers with a scale per output channel, by name."""
    makers = {node.output[0]: node for node in quantized.graph.node if node.op_type == "DequantizeLinear"}
    sizes = {tensor.name: tuple(tensor.dims) for tensor in quantized.graph.initializer}
    found = {}
    for node in quantized.graph.node:
        weights = makers.get(node.input[1]) if len(node.input) > 1 else None
        if weights is None or len(sizes.get(weights.input[1], ())) != 1 or node.input[0] not in makers:
            continue
        bias = makers.get(node.input[2]) if len(node.input) > 2 else None
        if weights.input[0] in sizes and (len(node.input) < 3 or bias is not None):
            found[node.name] = _Stored(node, weights, bias)
    return found


def _moments(
    layer: Layer, quantized_input: str, floats: Segments, integers: Segments, kept: Sequence[Array] | None
) -> Moments:
    """``kept``: of each sample which tokens (axis 1) are no padding, which would count as text otherwise."""
    count, inputs = len(floats.alive), layer.weights.shape[2]
    each = -(-min(max(COLUMNS_PER_INPUT * inputs, FEWEST_COLUMNS), MOST_COLUMNS) // count)

    def values(model: Segments, tensor: str, sample: int) -> Array:
        found = model.values(tensor, sample)
        if kept is None or found.shape[:2] != (1, len(kept[sample])):
            return found
        return found[:, kept[sample]]

    def columns(model: Segments, tensor: str) -> Array:
        parts = [layer.columns(values(model, tensor, sample), each, sample) for sample in range(count)]
        return np.ascontiguousarray(np.concatenate(parts, axis=2))

    q, f = columns(integers, quantized_input), columns(floats, layer.node.input[0])
    mean, float_mean = q.mean(axis=2, dtype=np.float64), f.mean(axis=2, dtype=np.float64)
    if layer.bias is not None:
        # before the products: of a channel that hardly varies, float32 would keep noise that is no second moment
        q -= mean[:, :, None].astype(np.float32)
        f -= float_mean[:, :, None].astype(np.float32)
    number, back = q.shape[2], q.transpose(0, 2, 1)
    curvature, crossed = (q @ back).astype(np.float64) / number, (f @ back).astype(np.float64) / number
    return Moments(curvature, crossed, mean, float_mean)


def _fitted(weights: Array, moments: Moments) -> Floats:
    """Minimizes ``|weights @ float input - fitted @ quantized input|^2 + PULL * |fitted - weights|^2``."""
    pulled = damped(moments.curvature, PULL)
    pull = pulled - moments.curvature
    wanted = weights.astype(np.float64) @ (moments.crossed + pull)
    return np.asarray(np.linalg.solve(pulled, wanted.transpose(0, 2, 1)).transpose(0, 2, 1))


def _scales(weights: Floats, limit: int, bias: Array | None, step: float) -> npt.NDArray[np.float32]:
    """One per output channel, so that the largest weight gets the largest integer.

    But where a channel's weights are next to nothing, as large as its bias in int32 needs: in steps of the scale times
    ``step``, the input's. Such weights round to the largest integer of a scale that is still next to nothing.
    """
    largest = np.abs(weights).max(axis=2)
    scales = np.where(largest == 0, 1.0, largest) / limit
    if bias is not None:
        scales = np.maximum(scales, np.abs(bias).reshape(scales.shape) / (step * BIAS_LIMIT))
    return scales.astype(np.float32)


def _write(
    layer: Layer, place: _Stored, integers: Segments, moments: Moments, chosen: Array, scales: Array
) -> None:
    def put(name: str, values: Array) -> None:
        integers.constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))

    put(place.weights.input[0], layer.stored(chosen.astype(np.int8)))
    put(place.weights.input[1], scales.reshape(-1))
    if layer.bias is None or place.bias is None:
        return
    before = (layer.weights.astype(np.float64) @ moments.float_mean[:, :, None]).reshape(-1)
    after = ((chosen * scales[:, :, None]) @ moments.mean[:, :, None]).reshape(-1)
    step, _ = integers.scale(place.node.input[0])
    bias_scales = (np.float32(step) * scales.reshape(-1)).astype(np.float32)
    bounds = np.iinfo(np.int32)
    bias = np.rint((layer.bias + before - after) / bias_scales)
    put(place.bias.input[0], np.clip(bias, bounds.min, bounds.max).astype(np.int32))
    put(place.bias.input[1], bias_scales)
