"""Infer types and shapes of an ONNX graph, without moving its weights around."""

from __future__ import annotations

import onnx

from edgekit.errors import ModelError
from edgekit.models.model import ANY_RANK, Shape
from edgekit.models.native import run_steps
from edgekit.models.shapes import shape_of, write_shape
from edgekit.models.standins import with_standins
from edgekit.models.structure import operator_problem, unknown_operators
from edgekit.models.tensors import constant_bytes, shape_problem
from edgekit.models.walk import DEFAULT_DOMAINS, all_graphs, all_nodes, subgraphs

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
        if constant_bytes(tensor) <= _SMALL_BYTES:
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
    """What the checker can judge; and strict inference where every operator is one of ONNX's own."""
    checks = [("check", _checkable(light).SerializeToString())]
    plain = all(node.domain in DEFAULT_DOMAINS for node in all_nodes(light.graph.node))
    if plain and not unknown_operators(light):
        checks.append(("infer-strictly", light.SerializeToString()))
    return checks


def _checkable(light: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without the operators that ONNX does not have: what they make becomes an input."""
    copy = onnx.ModelProto()
    copy.CopyFrom(light)
    versions = {entry.domain: entry.version for entry in light.opset_import}
    known = []
    for node in light.graph.node:
        if any(operator_problem(inner, versions) for inner in all_nodes([node])):
            made = (onnx.helper.make_tensor_value_info(name, 1, []) for name in node.output if name)
            copy.graph.input.extend(made)
        else:
            known.append(node)
    del copy.graph.node[:]
    copy.graph.node.extend(known)
    for value in (*copy.graph.input, *copy.graph.output):
        value.type.tensor_type.shape.SetInParent()  # the checker insists on a shape and looks no further
    return copy


def _take_shapes(where: str, model: onnx.ModelProto, inferred: bytes) -> None:
    answer = onnx.ModelProto.FromString(inferred)
    for graph in all_graphs(answer.graph):
        for value in (*graph.value_info, *graph.output):
            sides = [side for side in shape_of(value) if isinstance(side, int)]
            if problem := shape_problem(sides):
                raise ModelError(f"{where}: tensor '{value.name}': {problem}")
    _take_graph(model.graph, answer.graph)


def _take_graph(own: onnx.GraphProto, inferred: onnx.GraphProto) -> None:
    """Shapes of ``inferred`` into ``own``, and those of the graphs inside it."""
    del own.value_info[:]
    own.value_info.extend(inferred.value_info)
    for value, found in zip(own.output, inferred.output, strict=True):
        shape = _merged(shape_of(value), shape_of(found))
        value.CopyFrom(found)
        write_shape(value, shape)
    # stand-ins change the order of nodes, but not what makes a tensor
    makers = {node.output[0]: node for node in inferred.node if node.output}
    for node in own.node:
        if node.output and node.output[0] in makers:
            for inner, found_inner in zip(subgraphs(node), subgraphs(makers[node.output[0]]), strict=True):
                _take_graph(inner, found_inner)


def _merged(stated: Shape, inferred: Shape) -> Shape:
    """What was inferred, and the file's own word for what could not be."""
    if inferred == (ANY_RANK,) or len(stated) != len(inferred):
        return stated if inferred == (ANY_RANK,) else inferred
    return tuple(
        found if isinstance(found, int) else side for found, side in zip(inferred, stated, strict=True)
    )
