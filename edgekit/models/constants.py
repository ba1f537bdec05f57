"""Constant nodes become initializers; what can be computed before the first inference is computed.

Rules
1. A ``Constant`` node becomes an initializer of its output's name.
2. ``Shape`` and ``Size`` of a tensor whose shape is known become initializers.
3. A node whose inputs are all constant is evaluated, unless it is random, holds a graph, is not of ONNX's own
   operators, or unpacks a quantized weight (that would undo the quantization).
4. A result of more than ``LARGE_BYTES`` that is also larger than what it is made of stays a node.
"""

from __future__ import annotations

import io
import math

import numpy as np
import onnx
from onnx import numpy_helper

from edgekit.errors import ModelError
from edgekit.models.dtypes import ONNX_DTYPES, packed_bytes
from edgekit.models.editing import prune, set_nodes, use_counts
from edgekit.models.inference import infer
from edgekit.models.native import run_step
from edgekit.models.shapes import dtype_of, shape_of
from edgekit.models.walk import DEFAULT_DOMAINS, subgraphs

LARGE_BYTES = 1 << 20
_KEPT = {"DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear", "Dropout", "Bernoulli", "Multinomial"}
_KEPT |= {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
_NUMPY = {
    "bool",
    "float16",
    "float32",
    "float64",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
_PACKED = {"int8", "uint8", "int4", "uint4", "int2", "uint2"}
_PLAIN_VALUES = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def lift_constants(graph: onnx.GraphProto) -> None:
    """Rule 1, for ``graph`` and the graphs inside it."""
    lifted = [_constant_value(node) if node.op_type == "Constant" else None for node in graph.node]
    graph.initializer.extend(tensor for tensor in lifted if tensor is not None)
    set_nodes(graph, [node for node, tensor in zip(graph.node, lifted, strict=True) if tensor is None])
    for node in graph.node:
        for inner in subgraphs(node):
            lift_constants(inner)


def _constant_value(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The value of a Constant node; None for a sparse one and for strings."""
    (attribute,) = node.attribute
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name in _PLAIN_VALUES:
        return numpy_helper.from_array(np.array(value, _PLAIN_VALUES[attribute.name]), node.output[0])
    if attribute.name != "value":
        return None
    tensor = onnx.TensorProto()
    tensor.CopyFrom(value)
    tensor.name = node.output[0]
    return tensor


def fold_constants(where: str, model: onnx.ModelProto) -> None:
    """Rules 2 to 4, until nothing changes; shapes are inferred anew after each round."""
    while _fold_known_shapes(model.graph) or _fold_nodes(where, model):
        prune(model.graph)
        infer(where, model)


def known_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors of ``graph`` that have no free side, constants included."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        sides = tuple(side for side in shape_of(value) if isinstance(side, int))
        if len(sides) == len(shape_of(value)):
            shapes[value.name] = sides
    return shapes


def tensor_bits(graph: onnx.GraphProto) -> dict[str, int]:
    """Bits of one element of each tensor of ``graph`` whose type is known."""
    bits = {tensor.name: ONNX_DTYPES[tensor.data_type][1] for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.elem_type in ONNX_DTYPES:
            bits[value.name] = ONNX_DTYPES[value.type.tensor_type.elem_type][1]
    return bits


def _fold_known_shapes(graph: onnx.GraphProto) -> bool:
    shapes = known_shapes(graph)
    asks = [
        node.op_type in ("Shape", "Size") and node.domain in DEFAULT_DOMAINS and node.input[0] in shapes
        for node in graph.node
    ]
    nodes = list(graph.node)
    graph.initializer.extend(
        _shape_value(node, shapes[node.input[0]]) for node, folds in zip(nodes, asks, strict=True) if folds
    )
    set_nodes(graph, [node for node, folds in zip(nodes, asks, strict=True) if not folds])
    return any(asks)


def _shape_value(node: onnx.NodeProto, shape: tuple[int, ...]) -> onnx.TensorProto:
    if node.op_type == "Size":
        return numpy_helper.from_array(np.array(math.prod(shape), np.int64), node.output[0])
    given = {attribute.name: attribute.i for attribute in node.attribute}
    part = shape[given.get("start", 0) : given.get("end", len(shape))]
    return numpy_helper.from_array(np.array(part, np.int64), node.output[0])


def _fold_nodes(where: str, model: onnx.ModelProto) -> bool:
    graph = model.graph
    folds = _foldable(graph)
    if not any(folds):
        return False
    inside = [node for node, does in zip(graph.node, folds, strict=True) if does]
    set_nodes(graph, [node for node, does in zip(graph.node, folds, strict=True) if not does])
    used = use_counts(graph)
    wanted = [name for node in inside for name in node.output if name in used]
    graph.initializer.extend(_evaluate(where, model, inside, wanted))
    return True


def _foldable(graph: onnx.GraphProto) -> list[bool]:
    """For each node: is everything it needs constant, and may it be evaluated (rules 3 and 4)?"""
    shapes, bits = known_shapes(graph), tensor_bits(graph)
    sizes = {name: packed_bytes(shapes[name], bits[name]) for name in shapes.keys() & bits.keys()}
    dtypes = {tensor.name: ONNX_DTYPES[tensor.data_type][0] for tensor in graph.initializer}
    dtypes |= {value.name: dtype_of(value) for value in (*graph.value_info, *graph.output)}
    constant = {tensor.name for tensor in graph.initializer}
    answers = []
    for node in graph.node:
        inputs = [name for name in node.input if name]
        unpacks = any(dtypes.get(name) in _PACKED and len(shapes.get(name, ())) > 1 for name in inputs)
        made = sum(sizes.get(name, 0) for name in node.output)
        too_large = made > max(LARGE_BYTES, sum(sizes.get(name, 0) for name in inputs))
        plain = all(dtypes.get(name) in _NUMPY for name in node.output if name)
        folds = constant.issuperset(inputs) and _is_pure(node) and plain and not unpacks and not too_large
        if folds:
            constant.update(node.output)
        answers.append(folds)
    return answers


def _is_pure(node: onnx.NodeProto) -> bool:
    return node.domain in DEFAULT_DOMAINS and node.op_type not in _KEPT and not list(subgraphs(node))


def _evaluate(
    where: str, model: onnx.ModelProto, nodes: list[onnx.NodeProto], wanted: list[str]
) -> list[onnx.TensorProto]:
    """The values of the tensors ``wanted``, which ``nodes`` make of initializers alone."""
    if not wanted:
        return []
    part = onnx.ModelProto(ir_version=model.ir_version)
    part.opset_import.extend(model.opset_import)
    part.graph.name = "constants"
    part.graph.node.extend(nodes)
    needed = {name for node in nodes for name in node.input}
    part.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in needed)
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    answer = run_step(where, "evaluate", part.SerializeToString())
    if not answer.ok:
        raise ModelError(f"{where}: its constants cannot be computed: {answer.reason}")
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as values:
        return [numpy_helper.from_array(values[str(index)], name) for index, name in enumerate(wanted)]
