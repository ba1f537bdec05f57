"""What a converter needs that cannot read QDQ: weights on the integers' grid, ranges of activations, nodes in float.

A quantizer that takes a weight's scale from the largest one of each output channel finds the very integers again
(:func:`edgekit.quantization.compensation.compensate` sees to that), and one that takes ranges as given rounds
activations alike: so every converter makes the same model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from edgekit.quantization.naming import quantized_name
from edgekit.quantization.observers import Range
from edgekit.quantization.placement import QUANTIZED_OPERATORS, WEIGHTED

Array = np.ndarray[Any, Any]


def grid_model(source: onnx.ModelProto, quantized: onnx.ModelProto) -> onnx.ModelProto:
    """``source`` with the constants that its nodes have in ``quantized``: what the integers stand for, in float."""
    constants = {tensor.name: tensor for tensor in quantized.graph.initializer}
    makers = {node.output[0]: node for node in quantized.graph.node if node.op_type == "DequantizeLinear"}
    nodes = {node.name: node for node in quantized.graph.node}
    model = onnx.ModelProto()
    model.CopyFrom(source)
    mine = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        twin = nodes.get(node.name)
        for place, name in enumerate(node.input if twin is not None and twin.op_type == node.op_type else ()):
            maker = makers.get(twin.input[place]) if twin is not None else None
            if name in mine and maker is not None and maker.input[0] in constants:
                values = _dequantized(maker, constants)
                if values.size == math.prod(mine[name].dims):  # one bias for all outputs became one for each
                    values = values.reshape(tuple(mine[name].dims))
                mine[name].CopyFrom(numpy_helper.from_array(values, name))
    return model


def activation_ranges(source: onnx.ModelProto, quantized: onnx.ModelProto) -> dict[str, Range]:
    """Range of each quantized activation, by its name in ``source``.

    Where a ReLU or Clip went into the range, what it was applied to has that range, too: runtimes fuse them.
    """
    constants = {tensor.name: tensor for tensor in quantized.graph.initializer}
    ranges: dict[str, Range] = {}
    for node in quantized.graph.node:
        if node.op_type == "QuantizeLinear":
            scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input[1:3])
            bounds = np.iinfo(zero.dtype)
            low, high = ((end - int(zero)) * float(scale) for end in (bounds.min, bounds.max))
            ranges[quantized_name(node)] = low, high
    kept = {node.name for node in quantized.graph.node}
    for node in source.graph.node:
        if node.name not in kept and node.output[0] in ranges:
            ranges.setdefault(node.input[0], ranges[node.output[0]])
    return ranges


def nodes_in_float(source: onnx.ModelProto, quantized: onnx.ModelProto) -> list[str]:
    """Names of the nodes of ``source`` that compute in float in ``quantized``.

    In integers compute: layers whose weights are integers, operators without weights that have integer kernels, where they
    stand between pairs, and what went into a range.
    """
    makers = {name: node for node in quantized.graph.node for name in node.output}
    rounded = {node.input[0] for node in quantized.graph.node if node.op_type == "QuantizeLinear"}
    twins = {node.name: node for node in quantized.graph.node}

    def is_integer(name: str) -> bool:
        return name in makers and makers[name].op_type == "DequantizeLinear"

    def is_float(node: onnx.NodeProto) -> bool:
        twin = twins.get(node.name)
        if twin is None:
            return False
        if twin.op_type in WEIGHTED and is_integer(twin.input[1]):
            return False
        between = twin.input and is_integer(twin.input[0]) and rounded & set(twin.output)
        return not (between and twin.op_type in QUANTIZED_OPERATORS)

    return [node.name for node in source.graph.node if is_float(node)]


def _dequantized(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> Array:
    integers, scales = (numpy_helper.to_array(constants[name]) for name in node.input[:2])
    axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
    if scales.ndim == 1 and integers.ndim > 1:
        scales = scales.reshape([-1 if place == axis else 1 for place in range(integers.ndim)])
    return np.asarray(integers.astype(np.float32) * scales, np.float32)
