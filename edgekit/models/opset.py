"""Raise a graph to opset 17, the least that all converters take.

onnx's version converter does it, but loses what ``Upsample`` and the ``Resize`` of opset 10 mean: both map
coordinates asymmetrically and take the lower neighbour, while ``Resize`` by default centres pixels. The file
would load and answer wrongly; so that is written into the raised nodes. ``Hardmax``, which before opset 13 looked
at all axes from its own on together, is refused where that makes a difference.
"""

from __future__ import annotations

import onnx

from edgekit.errors import ModelError
from edgekit.models.constants import known_shapes
from edgekit.models.inference import check_and_infer, without_weights
from edgekit.models.native import run_step
from edgekit.models.standins import integer
from edgekit.models.structure import opset_of
from edgekit.models.walk import DEFAULT_DOMAINS, all_nodes, label

TARGET_OPSET = 17
_IR_OF_TARGET = 8
_CENTRED_SINCE = 11
_ONE_AXIS_SINCE = 13


def raise_opset(where: str, model: onnx.ModelProto) -> None:
    """Bring ``model`` to opset 17 unless it is there or beyond; ModelError naming what cannot be brought there."""
    old = opset_of(model)
    assert old is not None, "checked when it was read"
    if old >= TARGET_OPSET:
        return
    _check_hardmax(where, model)
    roundings = _roundings(where, model) if old < _CENTRED_SINCE else {}
    answer = run_step(where, "upgrade", without_weights(model).SerializeToString())
    if not answer.ok:
        raise ModelError(f"{where}: opset {old} cannot be raised to {TARGET_OPSET}: {answer.reason}")
    raised = onnx.ModelProto.FromString(answer.content)
    for node in all_nodes(raised.graph.node):
        if node.op_type == "Resize" and node.output[0] in roundings:
            _write_resize(node, roundings[node.output[0]])
    _take_graph(model, raised)
    check_and_infer(where, model)


def _check_hardmax(where: str, model: onnx.ModelProto) -> None:
    shapes = known_shapes(model.graph)
    for node in all_nodes(model.graph.node):
        if node.op_type == "Hardmax" and node.domain in DEFAULT_DOMAINS:
            axis, rank = integer(node, "axis", 1), len(shapes.get(node.input[0], ()))
            if opset_of(model) in range(_ONE_AXIS_SINCE) and axis not in (-1, rank - 1):
                raise ModelError(f"{where}: {label(node)} spans several axes; export with opset 17")


def _roundings(where: str, model: onnx.ModelProto) -> dict[str, str]:
    """What Upsample and Resize make -> which neighbour they take; only nearest ones depend on it."""
    shapes = known_shapes(model.graph)
    found = {}
    for node in all_nodes(model.graph.node):
        if node.op_type in ("Upsample", "Resize") and node.domain in DEFAULT_DOMAINS:
            before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
            steps = {side - old for old, side in zip(before, after, strict=False) if side != old}
            if min(steps, default=0) < 0 < max(steps, default=0):
                raise ModelError(
                    f"{where}: {label(node)} shrinks one side and enlarges another; export with opset 17"
                )
            # onnxruntime, which defined it in practice, takes the upper neighbour where the image shrinks
            found[node.output[0]] = "ceil" if min(steps, default=0) < 0 else "floor"
    return found


def _write_resize(node: onnx.NodeProto, rounding: str) -> None:
    written = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": rounding}
    kept = [attribute for attribute in node.attribute if attribute.name not in written]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in written.items())


def _take_graph(model: onnx.ModelProto, raised: onnx.ModelProto) -> None:
    """Nodes and small constants of ``raised``; weights, inputs and outputs stay those of ``model``."""
    made = {tensor.name for tensor in raised.graph.initializer}
    weights = [tensor for tensor in model.graph.initializer if tensor.name not in made]
    for field, items in (("initializer", weights), ("node", []), ("value_info", [])):
        del getattr(model.graph, field)[:]
        getattr(model.graph, field).extend(items)
    model.graph.initializer.extend(raised.graph.initializer)
    model.graph.node.extend(raised.graph.node)
    del model.opset_import[:]
    model.opset_import.extend(raised.opset_import)
    model.ir_version = max(model.ir_version, _IR_OF_TARGET)
