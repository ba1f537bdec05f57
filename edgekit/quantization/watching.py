"""One pass over the samples with the float model tells the range of every activation that gets quantized."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.models.constants import known_shapes
from edgekit.models.macs import UnknownShapeError, node_macs
from edgekit.quantization.derived import derived
from edgekit.quantization.grading import inference_session
from edgekit.quantization.histogram import Histogram, NotFiniteError
from edgekit.quantization.observers import (
    FROM_HISTOGRAM,
    FROM_HISTOGRAM_SYMMETRIC,
    Extremes,
    Range,
    RangeMethod,
)

Array = np.ndarray[Any, Any]
Feeds = Mapping[str, Array]

VALUES = 2048
"""Values of a tensor that a histogram sees of each sample, up to twice as many of small tensors: evenly spaced, so
that all channels are among them."""

FEWEST_VALUES, MACS_PER_VALUE = 256, 256
"""Of a model that computes less than so much for each value, fewer are looked at: counting one takes longer than that
many multiplications, and hundreds of samples tell as much with fewer values each."""

TOGETHER, MOST_TOGETHER = 16, 36
"""Samples whose values are counted in one go, more where fewer values of each are looked at: a small model runs faster
than numpy is called."""

_NOT_NEGATIVE = {"Relu", "Sigmoid", "HardSigmoid", "Softmax"}


@dataclass(frozen=True, slots=True)
class _Watch:
    """Part of a graph output that says something of one tensor."""

    tensor: str
    output: str
    extreme: bool
    part: slice


def observe(
    model: onnx.ModelProto,
    tensors: Sequence[str],
    samples: Iterable[Feeds],
    methods: Sequence[RangeMethod],
    *,
    threads: int,
    at_zero: Collection[str] = (),
    seen: Callable[[int], None] = lambda count: None,
) -> dict[RangeMethod, dict[str, Range]]:
    """Ranges of ``tensors`` by each method, from one pass over ``samples``, which are run one at a time and not kept.

    Extremes are taken inside the graph, other observers get evenly spaced values: copying whole feature maps out
    would take longer than computing them. Of joined and reshaped tensors of a small model the parts are looked at.
    Positions that an attention mask leaves out are not looked at.
    ``model``: shapes inferred. ``at_zero``: tensors whose zero point will be zero. ``seen``: called after each sample with
    their number so far.
    ValueError where an input or one of ``tensors`` is found infinite or not a number, which names it.
    """
    if not tensors:
        return {method: {} for method in methods}
    spaced = [method for method in methods if method != "minmax"]
    shapes = known_shapes(model.graph)
    each = values_each(model.graph, len(tensors))
    mask = mask_input(model.graph, shapes)
    # where padding is left out, a tensor in another shape may not know it any more
    made = derived(model.graph, tensors if each < VALUES and mask is None else (), at_zero)
    roots = [name for name in tensors if name not in made.sources]
    watched, watches = _watched(
        model, roots, shapes, mask, exact="minmax" in methods, values=each if spaced else 0
    )
    extremes = {name: Extremes() for name in roots}
    histograms = {name: Histogram() for name in roots}
    session = inference_session(watched, threads)
    waiting: dict[str, list[Array]] = {watch.output: [] for watch in watches}
    outputs = list(waiting)
    together = min(TOGETHER * VALUES // each, MOST_TOGETHER)

    def count_waiting() -> None:
        rows = {name: _rows(found) for name, found in waiting.items()}
        for watch in watches:
            observer: Extremes | Histogram = (extremes if watch.extreme else histograms)[watch.tensor]
            try:
                observer.update(rows[watch.output][:, watch.part])
            except NotFiniteError as error:
                found = waiting[watch.output]
                finite = [bool(np.isfinite(values.reshape(-1)[watch.part]).all()) for values in found]
                raise _refusal(
                    f"tensor {watch.tensor!r}", number - len(found) + 1 + finite.index(False)
                ) from error
        for values in waiting.values():
            values.clear()

    number = 0
    for number, feeds in enumerate(samples, 1):
        for name, array in feeds.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise _refusal(f"input {name!r}", number)
        for output, values in zip(outputs, session.run(outputs, dict(feeds)), strict=True):
            waiting[output].append(values)
        if number % together == 0:
            count_waiting()
        seen(number)
    if number % together:
        count_waiting()
    found: dict[RangeMethod, dict[str, Range]] = {
        method: {
            name: (FROM_HISTOGRAM_SYMMETRIC if name in at_zero else FROM_HISTOGRAM)[method](histograms[name])
            for name in roots
        }
        for method in spaced
    }
    if "minmax" in methods:
        found["minmax"] = {name: extremes[name].range() for name in roots}
    return {method: {name: made.range(name, ranges) for name in tensors} for method, ranges in found.items()}


def _rows(found: Sequence[Array]) -> Array:
    """A row of each sample; one row of all where samples have different numbers of values."""
    flat = [values.reshape(-1) for values in found]
    if len({values.size for values in flat}) == 1:
        return np.stack(flat)
    return np.concatenate(flat)[None]


class _Joined:
    """One output of many small tensors: each output of its own costs as much as some thousand multiplications."""

    def __init__(self, graph: onnx.GraphProto, name: str) -> None:
        self.name, self._graph, self._parts, self._size = name, graph, list[str](), 0

    def add(self, flat: str, size: int) -> slice:
        """Where the ``size`` values of ``flat`` (of one dimension) will be."""
        self._parts.append(flat)
        self._size += size
        return slice(self._size - size, self._size)

    def write(self) -> None:
        if self._parts:
            self._graph.node.append(helper.make_node("Concat", self._parts, [self.name], axis=0))
            self._graph.output.append(
                helper.make_tensor_value_info(self.name, TensorProto.FLOAT, [self._size])
            )


def _watched(
    model: onnx.ModelProto,
    tensors: Sequence[str],
    shapes: Mapping[str, tuple[int, ...]],
    mask: str | None,
    *,
    exact: bool,
    values: int,
) -> tuple[onnx.ModelProto, list[_Watch]]:
    """The model with outputs about ``tensors`` in place of its own: extremes, and about so many ``values`` of each."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    del graph.output[:]
    for name, value in (("flat", -1), ("begin", 0), ("end", np.iinfo(np.int64).max)):
        _constant(graph, f"watched/{name}", np.array([value]))
    extremes, some = _Joined(graph, "watched/extremes"), _Joined(graph, "watched/values")
    watches = []
    for tensor in tensors:
        shape = shapes.get(tensor, ())
        masked = mask is not None and shape[:2] == shapes[mask]
        source = _unmasked(graph, tensor, mask) if masked and mask else tensor
        flat = f"{tensor}/flat"
        graph.node.append(helper.make_node("Reshape", [source, "watched/flat"], [flat]))
        if exact:
            for which in ["Max"] if producers.get(tensor) in _NOT_NEGATIVE else ["Min", "Max"]:
                graph.node.append(
                    helper.make_node(f"Reduce{which}", [flat], [f"{tensor}/{which}"], keepdims=1)
                )
                watches.append(_Watch(tensor, extremes.name, True, extremes.add(f"{tensor}/{which}", 1)))
        if not values:
            continue
        found, step = _some_values(graph, flat, spacing(shape, values))
        if shape and not masked:
            part = some.add(found, -(-math.prod(shape) // step))
            watches.append(_Watch(tensor, some.name, False, part))
        else:  # how many there are changes with the sample
            graph.output.append(helper.make_tensor_value_info(found, TensorProto.FLOAT, [None]))
            watches.append(_Watch(tensor, found, False, slice(None)))
    for joined in (extremes, some):
        joined.write()
    return copy, watches


def values_each(graph: onnx.GraphProto, tensors: int) -> int:
    """How many values of each of so many tensors a histogram sees of a sample."""
    shapes = known_shapes(graph)
    try:
        macs = sum(node_macs(node, shapes) for node in graph.node)
    except UnknownShapeError:
        return VALUES
    return max(FEWEST_VALUES, min(VALUES, macs // (MACS_PER_VALUE * tensors)))


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


def spacing(shape: Sequence[int], values: int = VALUES) -> int:
    """The step at which values are taken: without a common divisor with any side, so that it meets all columns.

    A map 7 wide that is stepped through by 7 would show its left border alone. All values where ``shape`` is unknown: ().
    """
    size = math.prod(shape)
    step = max(1, size // values)
    while math.gcd(step, size) > 1:
        step += 1
    return step


def _some_values(graph: onnx.GraphProto, flat: str, step: int) -> tuple[str, int]:
    """Every ``step``-th of the values of ``flat``, and the step."""
    if step == 1:
        return flat, step
    _constant(graph, f"{flat}/step", np.array([step]))
    steps = [flat, "watched/begin", "watched/end", "watched/begin", f"{flat}/step"]
    graph.node.append(helper.make_node("Slice", steps, [f"{flat}/some"]))
    return f"{flat}/some", step


def _refusal(what: str, sample: int) -> ValueError:
    return ValueError(f"{what} is infinite or not a number in sample {sample} of the calibration data")


def _constant(graph: onnx.GraphProto, name: str, value: Array) -> None:
    graph.initializer.append(numpy_helper.from_array(value.astype(np.int64), name))
