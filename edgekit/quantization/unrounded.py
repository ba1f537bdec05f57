"""A QDQ graph with weights as they were: what the rounding of activations alone costs.

Of two graphs whose weights will be fitted this tells which gets nearer. With weights rounded to the nearest it cannot be
told: what is best of PP-OCRv4 recognition after the fit (21 dB) has 13 dB before it, others have 22.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from edgekit.models.editing import prune, set_nodes
from edgekit.quantization.guards import guard_float
from edgekit.quantization.insertion import Scheme, insert
from edgekit.quantization.layers import layers

if TYPE_CHECKING:
    from edgekit.quantization.observers import Range
    from edgekit.quantization.placement import FloatNodes


def insert_around_activations(
    model: onnx.ModelProto, ranges: Mapping[str, Range], in_float: FloatNodes, scheme: Scheme
) -> onnx.ModelProto:
    """What :func:`insert` makes of ``model``, with the weights of ``model`` in place of their integers."""
    return with_float_weights(insert(_thin(model), ranges, in_float, scheme), model)


def with_float_weights(quantized: onnx.ModelProto, source: onnx.ModelProto) -> onnx.ModelProto:
    """``quantized`` (made of ``source``) with the constants of ``source`` in place of their integers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(quantized)
    constants = {tensor.name: tensor for tensor in source.graph.initializer}
    nodes = {node.name: node for node in source.graph.node}
    # a bias keeps its name: what makes it float again is called like it
    set_nodes(copy.graph, [node for node in copy.graph.node if node.output[0] not in constants])
    held = {tensor.name for tensor in copy.graph.initializer}
    for tensor in copy.graph.initializer:
        if tensor.name in constants:  # read in float
            tensor.CopyFrom(constants[tensor.name])
    changed = []
    for node in copy.graph.node:
        original = nodes.get(node.name)
        if original is None or original.op_type != node.op_type:
            continue
        for place, name in enumerate(original.input):
            if name in constants and name not in held:
                held.add(name)
                copy.graph.initializer.append(constants[name])
            if name in constants and node.input[place] != name:
                node.input[place] = name
                changed.append(node.name)
    prune(copy.graph)
    guard_float(copy.graph, changed)
    return copy


def _thin(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with one weight in each layer: where pairs go is the same, and the tool's time goes with the channels."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in copy.graph.initializer}
    for layer in layers(copy.graph):
        names = layer.node.input[1:3]
        if layer.bias is not None and constants[names[1]].dims != [layer.bias.size]:
            continue  # the tool's answer to an odd bias depends on the number of outputs
        for name in filter(None, names):
            one = np.ones([1] * len(constants[name].dims), np.float32)
            constants[name].CopyFrom(numpy_helper.from_array(one, name))
    return copy
