"""One pass over the samples with the float model tells the range of every activation that gets quantized."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.models.constants import known_shapes
from edgekit.quantization.grading import inference_session
from edgekit.quantization.histogram import Histogram, NotFiniteError
from edgekit.quantization.observers import (
    FROM_HISTOGRAM,
    Extremes,
    Range,
    RangeMethod,
)

Array = np.ndarray[Any, Any]
Feeds = Mapping[str, Array]

VALUES = 2048
"""Values of a tensor that a histogram sees of each sample, up to twice as many of small tensors: evenly spaced, so
that all channels are among them."""

TOGETHER = 16
"""Samples whose values are counted in one go: a small model runs faster than numpy is called."""

_NOT_NEGATIVE = {"Relu", "Sigmoid", "HardSigmoid", "Softmax"}


@dataclass(frozen=True, slots=True)
class _Watch:
    """A graph output that says something of one tensor."""

    tensor: str
    output: str
    extreme: bool


def observe(
    model: onnx.ModelProto,
    tensors: Sequence[str],
    samples: Iterable[Feeds],
    methods: Sequence[RangeMethod],
    *,
    threads: int,
    seen: Callable[[int], None] = lambda count: None,
) -> dict[RangeMethod, dict[str, Range]]:
    """Ranges of ``tensors`` by each method, from one pass over ``samples``, which are run one at a time and not kept.

    Extremes are taken inside the graph, other observers get evenly spaced values: copying whole feature maps out
    would take longer than computing them. Positions that an attention mask leaves out are not looked at.
    ``model``: shapes inferred. ``seen``: called after each sample with
    their number so far.
    ValueError where an input or one of ``tensors`` is found infinite or not a number, which names it.
    """
    if not tensors:
        return {method: {} for method in methods}
    spaced = [method for method in methods if method != "minmax"]
    watched, watches = _watched(model, tensors, exact="minmax" in methods, values=bool(spaced))
    extremes = {name: Extremes() for name in tensors}
    histograms = {name: Histogram() for name in tensors}
    session = inference_session(watched, threads)
    waiting: dict[str, list[Array]] = {watch.output: [] for watch in watches}
    outputs = list(waiting)

    def count_waiting() -> None:
        for watch in watches:
            observer: Extremes | Histogram = (extremes if watch.extreme else histograms)[watch.tensor]
            values = np.concatenate(waiting[watch.output], axis=None)
            try:
                observer.update(values)
            except NotFiniteError as error:
                raise _refusal(
                    f"tensor {watch.tensor!r}", f"one of the {TOGETHER} samples up to {number}"
                ) from error
            waiting[watch.output].clear()

    number = 0
    for number, feeds in enumerate(samples, 1):
        for name, array in feeds.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise _refusal(f"input {name!r}", f"sample {number}")
        for output, values in zip(outputs, session.run(outputs, dict(feeds)), strict=True):
            waiting[output].append(values)
        if number % TOGETHER == 0:
            count_waiting()
        seen(number)
    if number % TOGETHER:
        count_waiting()
    ranges: dict[RangeMethod, dict[str, Range]] = {
        method: {name: FROM_HISTOGRAM[method](histograms[name]) for name in tensors} for method in spaced
    }
    if "minmax" in methods:
        ranges["minmax"] = {name: extremes[name].range() for name in tensors}
    return ranges


def _watched(
    model: onnx.ModelProto, tensors: Sequence[str], *, exact: bool, values: bool
) -> tuple[onnx.ModelProto, list[_Watch]]:
    """The model with outputs about ``tensors`` in place of its own."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    shapes = known_shapes(model.graph)
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    mask = mask_input(graph, shapes)
    del graph.output[:]
    watches = []
    for tensor in tensors:
        shape = shapes.get(tensor, ())
        source = tensor
        if mask is not None and shape[:2] == shapes[mask]:
            source = _unmasked(graph, tensor, mask)
        if exact:
            extremes = ["Max"] if producers.get(tensor) in _NOT_NEGATIVE else ["Min", "Max"]
            watches += [_Watch(tensor, _extreme(graph, source, tensor, which), True) for which in extremes]
        if values:
            watches.append(_Watch(tensor, _some_values(graph, source, tensor, shape), False))
    return copy, watches


def mask_input(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The input that marks padding: integers of the shape [batch, tokens] with ``mask`` in the name."""
    for value in graph.input:
        integers = value.type.tensor_type.elem_type in (TensorProto.INT64, TensorProto.INT32)
        if integers and "mask" in value.name and shapes.get(value.name, ())[:-1] == (1,):
            return str(value.name)
    return None


def _unmasked(graph: onnx.GraphProto, tensor: str, mask: str) -> str:
    """The tensor's tokens (axis 1) that are no padding."""
    kept = f"{mask}/kept"
    if not any(kept in node.output for node in graph.node):
        _constant(graph, f"{mask}/axis", np.array([0]))
        graph.node.append(helper.make_node("Squeeze", [mask, f"{mask}/axis"], [f"{mask}/row"]))
        graph.node.append(helper.make_node("Cast", [f"{mask}/row"], [kept], to=TensorProto.BOOL))
    graph.node.append(helper.make_node("Compress", [tensor, kept], [f"{tensor}/unmasked"], axis=1))
    return f"{tensor}/unmasked"


def _extreme(graph: onnx.GraphProto, source: str, tensor: str, which: str) -> str:
    name = f"{tensor}/{which}"
    graph.node.append(helper.make_node(f"Reduce{which}", [source], [name], keepdims=0))
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, []))
    return name


def spacing(shape: Sequence[int]) -> int:
    """The step at which values are taken: without a common divisor with any side, so that it meets all columns.

    A map 7 wide that is stepped through by 7 would show its left border alone. All values where ``shape`` is unknown: ().
    """
    size = math.prod(shape)
    step = max(1, size // VALUES)
    while math.gcd(step, size) > 1:
        step += 1
    return step


def _some_values(graph: onnx.GraphProto, source: str, tensor: str, shape: Sequence[int]) -> str:
    name, step = f"{tensor}/values", spacing(shape)
    if step == 1:  # the tensor itself: two nodes that pick all of it take longer
        graph.output.append(helper.make_tensor_value_info(source, TensorProto.FLOAT, None))
        return source
    flat, begin, end = (f"values/{part}" for part in ("flat", "begin", "end"))
    if not any(tensor_.name == flat for tensor_ in graph.initializer):
        for key, value in ((flat, -1), (begin, 0), (end, np.iinfo(np.int64).max)):
            _constant(graph, key, np.array([value]))
    _constant(graph, f"{tensor}/step", np.array([step]))
    graph.node.append(helper.make_node("Reshape", [source, flat], [f"{tensor}/flat"]))
    steps = [f"{tensor}/flat", begin, end, begin, f"{tensor}/step"]
    graph.node.append(helper.make_node("Slice", steps, [name]))
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]))
    return name


def _refusal(what: str, where: str) -> ValueError:
    return ValueError(f"{what} is infinite or not a number in {where} of the calibration data")


def _constant(graph: onnx.GraphProto, name: str, value: Array) -> None:
    graph.initializer.append(numpy_helper.from_array(value.astype(np.int64), name))
