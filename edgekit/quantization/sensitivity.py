"""The error that quantizing one layer alone brings to the model's outputs, layer by layer.

A layer is quantized with its weights (rounded to the nearest), its input and its output, in the ranges of a finished
QDQ graph; everything else computes in float. Fitted weights are left out on purpose: they make up for errors of the
layers before them, which are not there when a layer stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit.models.constants import known_shapes
from edgekit.models.macs import UnknownShapeError, node_macs
from edgekit.quantization.equalization import divided, divisors_of
from edgekit.quantization.grading import Grader
from edgekit.quantization.guards import guard, least
from edgekit.quantization.naming import quantized_name
from edgekit.quantization.placement import ACTIVATIONS, WEIGHTED, FloatNodes, float_nodes
from edgekit.quantization.table import InFloat, LayerSensitivity, Sensitivity

if TYPE_CHECKING:
    from edgekit.quantization.calibration import CalibrationFiles, Feeds
    from edgekit.quantization.effort import Bounds, Effort
    from edgekit.quantization.progress import Told

Array = np.ndarray[Any, Any]

SAMPLES: Mapping[Effort, int] = {"fast": 4, "normal": 8, "max": 16}
"""Samples that each layer is tried on: one inference a layer and sample is what a table costs."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Scale and zero point of a quantized activation."""

    scale: onnx.TensorProto
    zero: onnx.TensorProto


def sensitivity(
    model: onnx.ModelProto,
    quantized: onnx.ModelProto,
    samples: Sequence[Feeds],
    *,
    limit: int,
    threads: int,
    unseen: bool = True,
    told: Told | None = None,
) -> Sensitivity:
    """Try each layer of ``model`` (float, shapes inferred) that is int8 in ``quantized``, one at a time.

    limit: largest integer of a weight. unseen: nothing was fitted on ``samples``.
    """
    if divisors := divisors_of(quantized):
        model = divided(model, divisors)  # the pairs' ranges are those of its channels
    graph, pairs = model.graph, _pairs(quantized.graph)
    in_int8, in_float = _int8_layers(quantized.graph), float_nodes(graph)
    grader = Grader(model, samples, threads)
    found = []
    rows = list(_layers(graph))
    for number, (node, macs) in enumerate(rows):
        if told:
            told.say(number / len(rows), f"alone in int8, layer {number + 1} of {len(rows)}: {node.name}")
        tried = node.name in in_int8
        error = grader.sqnr_db(_alone(model, node.name, pairs, limit)) if tried else None
        found.append(
            LayerSensitivity(
                node=node.name,
                op=node.op_type,
                macs=macs,
                in_float="" if tried else _reason(node.name, in_float),
                sqnr_db=None if error is None else round(error, 2),
            )
        )
    return Sensitivity(schema=1, samples=len(samples), unseen=unseen, layers=tuple(found))


def unseen_samples(
    files: CalibrationFiles, model: onnx.ModelProto, bounds: Bounds, effort: Effort
) -> tuple[list[Feeds], bool]:
    """What layers are tried on, and whether it is other samples than those that fitting takes."""
    fit, others = files.spread(bounds.samples_for(model))
    pool = others or fit
    places = np.linspace(0, len(pool) - 1, min(SAMPLES[effort], len(pool))).astype(int)
    return [pool[place] for place in places], bool(others)


def _layers(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, int]]:
    """What has constant weights or multiplies, with its MACs."""
    shapes = known_shapes(graph)
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        try:
            macs = node_macs(node, shapes)
        except UnknownShapeError:
            macs = 0
        if macs or (node.op_type in WEIGHTED and constants & set(node.input)):
            yield node, macs


def _reason(name: str, in_float: FloatNodes) -> InFloat:
    if name in in_float.tail:
        return "tail"
    if name in in_float.attention:
        return "attention"
    return "rescue" if name in in_float.kept else "other"


def _pairs(quantized: onnx.GraphProto) -> dict[str, _Pair]:
    """By the source's tensor."""
    constants = {tensor.name: tensor for tensor in quantized.initializer}
    return {
        quantized_name(node): _Pair(constants[node.input[1]], constants[node.input[2]])
        for node in quantized.node
        if node.op_type == "QuantizeLinear"
    }


def _int8_layers(quantized: onnx.GraphProto) -> set[str]:
    """Names of the nodes whose weights are stored in int8."""
    constants = {tensor.name for tensor in quantized.initializer}
    unpacked = {
        node.output[0]
        for node in quantized.node
        if node.op_type == "DequantizeLinear" and node.input[0] in constants
    }
    return {
        node.name
        for node in quantized.node
        if node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1] in unpacked
    }


def _alone(model: onnx.ModelProto, name: str, pairs: Mapping[str, _Pair], limit: int) -> onnx.ModelProto:
    """``model`` with the layer ``name`` as int8 would compute it, and nothing else changed."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    nodes = list(graph.node)
    place = next(index for index, node in enumerate(nodes) if node.name == name)
    layer = nodes[place]
    weights = next(tensor for tensor in graph.initializer if tensor.name == layer.input[1])
    rounded = rounded_weights(numpy_helper.to_array(weights), layer, limit)
    graph.initializer.append(numpy_helper.from_array(rounded, f"{name}/alone/weights"))
    last = _last(nodes, place, pairs)
    before: list[onnx.NodeProto] = []
    after: list[onnx.NodeProto] = []
    if last is not None:
        tensor = nodes[last].output[0]
        nodes[last].output[0] = f"{tensor}/alone"
        # the weights are rounded already; onnxruntime would do it again, with one scale for all of them
        graph.initializer.append(least())
        after = [
            guard(f"{tensor}/alone", f"{tensor}/alone/guarded", f"{name}/alone/guard"),
            *_write_pair(graph, pairs[tensor], f"{tensor}/alone/guarded", tensor),
        ]
    if layer.input[0] in pairs:
        before = _write_pair(graph, pairs[layer.input[0]], layer.input[0], f"{name}/alone/input")
        layer.input[0] = f"{name}/alone/input"
    layer.input[1] = f"{name}/alone/weights"
    behind = (place if last is None else last) + 1
    ordered = [*nodes[:place], *before, *nodes[place:behind], *after, *nodes[behind:]]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(kept)
    return copy


def rounded_weights(weights: Array, layer: onnx.NodeProto, limit: int) -> Array:
    """``weights`` on the grid that their largest of each output channel gives, in float."""
    axis = _output_axis(layer, weights.ndim)
    largest = np.abs(weights).max(
        axis=tuple(side for side in range(weights.ndim) if side != axis), keepdims=True
    )
    scale = np.where(largest == 0, 1.0, largest) / limit
    return np.asarray(np.rint(weights / scale) * scale, weights.dtype)


def _output_axis(layer: onnx.NodeProto, sides: int) -> int:
    match layer.op_type:
        case "Conv":
            return 0
        case "ConvTranspose":
            return 1
        case "Gemm":
            turned = any(item.name == "transB" and item.i for item in layer.attribute)
            return 0 if turned else 1
    return sides - 1


def _last(nodes: Sequence[onnx.NodeProto], place: int, pairs: Mapping[str, _Pair]) -> int | None:
    """Where the node stands whose output is the layer's in int8: itself, or the activation that is fused to it."""
    while (made := nodes[place].output[0]) not in pairs:
        users = [index for index, node in enumerate(nodes) if made in node.input]
        if len(users) != 1 or nodes[users[0]].op_type not in ACTIVATIONS:
            return None
        place = users[0]
    return place


def _write_pair(graph: onnx.GraphProto, pair: _Pair, taken: str, made: str) -> list[onnx.NodeProto]:
    names = [f"{made}/alone/{part}" for part in ("scale", "zero", "integers")]
    for tensor, name in ((pair.scale, names[0]), (pair.zero, names[1])):
        graph.initializer.append(tensor)
        graph.initializer[-1].name = name
    return [
        helper.make_node("QuantizeLinear", [taken, *names[:2]], [names[2]]),
        helper.make_node("DequantizeLinear", [names[2], *names[:2]], [made]),
    ]
