"""Infer types and shapes of an ONNX graph, without moving its weights around."""

from __future__ import annotations

import onnx

from edgekit.errors import ModelError
from edgekit.models.model import ANY_RANK, Shape
from edgekit.models.native import run_steps
from edgekit.models.shapes import shape_of, write_shape
from edgekit.models.standins import with_standins
from edgekit.models.tensors import shape_problem
from edgekit.models.walk import DEFAULT_DOMAINS, all_nodes

_SMALL_BYTES = 2048
"""Constants up to this size may be shapes, axes and pads, whose values inference follows."""


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` in which large initializers are inputs of their shape and type.

    Shapes of the outputs are left out.
    """
    copy = onnx.ModelProto(ir_version=max(model.ir_version, 4))
    copy.opset_import.extend(model.opset_import)
    copy.functions.extend(model.functions)
    graph = copy.graph
    graph.name = model.graph.name or "graph"  # the checker insists on a name, runtimes do not
    for field in ("node", "input", "output", "value_info"):
        getattr(graph, field).extend(getattr(model.graph, field))
    for value in graph.output:
        # what the file says of an output may be wrong without harm: runtimes go by what they infer
        value.type.tensor_type.ClearField("shape")
    listed = {value.name for value in graph.input}
    for tensor in model.graph.initializer:
        if tensor.ByteSize() <= _SMALL_BYTES:
            graph.initializer.append(tensor)
        elif tensor.name not in listed:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return copy


def check_and_infer(where: str, model: onnx.ModelProto) -> None:
    """Write inferred shapes into ``model``; ModelError where operators, types and shapes do not agree."""
    light = without_weights(model)
    steps = [("infer", with_standins(light).SerializeToString()), *_checks(light)]
    inferred, *checks = run_steps(where, steps)
    for answer in (*checks, inferred):
        if not answer.ok:
            raise ModelError(f"{where}: {answer.reason}")
    _take_shapes(where, model, inferred.content)


def infer(where: str, model: onnx.ModelProto) -> None:
    """Write inferred shapes into ``model``, which is not checked further; ModelError for absurd shapes."""
    (answer,) = run_steps(where, [("infer", with_standins(without_weights(model)).SerializeToString())])
    if not answer.ok:
        raise ModelError(f"{where}: {answer.reason}")
    _take_shapes(where, model, answer.content)


def _checks(light: onnx.ModelProto) -> list[tuple[str, bytes]]:
    data = light.SerializeToString()
    shaped = onnx.ModelProto()
    shaped.CopyFrom(light)
    for value in shaped.graph.output:
        value.type.tensor_type.shape.SetInParent()  # the checker insists on a shape and looks no further
    checks = [("check", shaped.SerializeToString())]
    if all(node.domain in DEFAULT_DOMAINS for node in all_nodes(light.graph.node)):
        checks.append(("infer-strictly", data))
    return checks


def _take_shapes(where: str, model: onnx.ModelProto, inferred: bytes) -> None:
    answer = onnx.ModelProto.FromString(inferred)
    for value in (*answer.graph.value_info, *answer.graph.output):
        sides = [side for side in shape_of(value) if isinstance(side, int)]
        if problem := shape_problem(sides):
            raise ModelError(f"{where}: tensor '{value.name}': {problem}")
    del model.graph.value_info[:]
    model.graph.value_info.extend(answer.graph.value_info)
    for own, found in zip(model.graph.output, answer.graph.output, strict=True):
        shape = _merged(shape_of(own), shape_of(found))
        own.CopyFrom(found)
        write_shape(own, shape)


def _merged(stated: Shape, inferred: Shape) -> Shape:
    """What was inferred, and the file's own word for what could not be."""
    if inferred == (ANY_RANK,) or len(stated) != len(inferred):
        return stated if inferred == (ANY_RANK,) else inferred
    return tuple(
        found if isinstance(found, int) else side for found, side in zip(inferred, stated, strict=True)
    )
