"""Zero points taken into biases, for kernels that take none: what a convolution without padding makes of its input is

    sum(weight * scale * (q - zero)) + bias = sum(weight * scale * q) + (bias - zero * scale * sum(weight))

so the same integers, read with a zero point of zero, and another bias give the same sums, bit for bit. Padding is the
value zero, which these integers say as ``zero``: a padded convolution has to read the zero point itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit.models.editing import prune, set_nodes
from edgekit.quantization.layers import attributes_of

Array = np.ndarray[Any, Any]

ABSORBED = "/zero_point_absorbed"
"""Appended to the names of the tensors and nodes that this adds."""


def absorbs_zero_points(node: onnx.NodeProto) -> bool:
    """A convolution of all channels, constant weights assumed, that pads nothing."""
    attributes = attributes_of(node)
    return (
        node.op_type == "Conv"
        and attributes.get("group", 1) == 1
        and attributes.get("auto_pad", b"NOTSET") in {b"NOTSET", b"VALID"}
        and not any(attributes.get("pads", ()))
    )


def absorb_zero_points(graph: onnx.GraphProto) -> None:
    """Let each such convolution of a QDQ ``graph`` read a zero point of zero, and put what its input's was into its bias.

    Weights are symmetric. A convolution stays as it is where its weights or bias are float, or the new bias is no int32.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    before: dict[str, list[onnx.NodeProto]] = {}
    read_at_zero: dict[str, str] = {}  # by the tensor that is read with its zero point
    for node in graph.node:
        if not absorbs_zero_points(node) or not {*node.input[:3]} <= makers.keys():
            continue
        pair, weights = makers[node.input[0]], makers[node.input[1]]
        zero = _zero_point(pair, constants)
        if not zero or weights.input[0] not in constants:
            continue
        sums = constants[weights.input[0]].astype(np.int64).sum(axis=(1, 2, 3))
        shifted = -zero * sums
        if len(node.input) > 2:
            shifted = shifted + constants[makers[node.input[2]].input[0]]
        if np.abs(shifted).max() > np.iinfo(np.int32).max:
            continue
        added = before.setdefault(node.name, [])
        if pair.output[0] not in read_at_zero:
            read_at_zero[pair.output[0]] = _read_at_zero(graph, pair, constants, added)
        scales = constants[pair.input[1]] * constants[weights.input[1]]
        bias = _bias(graph, node.name, shifted.astype(np.int32), scales.astype(np.float32), added)
        node.input[:] = [read_at_zero[node.input[0]], node.input[1], bias]
    set_nodes(graph, [new for node in graph.node for new in (*before.get(node.name, ()), node)])
    prune(graph)


def _zero_point(pair: onnx.NodeProto, constants: Mapping[str, Array]) -> int:
    return int(constants[pair.input[2]]) if len(pair.input) > 2 and constants[pair.input[2]].size == 1 else 0


def _read_at_zero(
    graph: onnx.GraphProto, pair: onnx.NodeProto, constants: Mapping[str, Array], added: list[onnx.NodeProto]
) -> str:
    """Add a DequantizeLinear of what ``pair`` reads, with a zero point of zero; the name of its output."""
    zero = np.zeros_like(constants[pair.input[2]])
    name = f"{pair.output[0]}{ABSORBED}"
    graph.initializer.append(numpy_helper.from_array(zero, f"{name}/zero"))
    inputs = [pair.input[0], pair.input[1], f"{name}/zero"]
    added.append(helper.make_node("DequantizeLinear", inputs, [name], f"{pair.name}{ABSORBED}"))
    return name


def _bias(
    graph: onnx.GraphProto, layer: str, integers: Array, scales: Array, added: list[onnx.NodeProto]
) -> str:
    name = f"{layer}{ABSORBED}"
    graph.initializer.append(numpy_helper.from_array(integers, f"{name}/integers"))
    graph.initializer.append(numpy_helper.from_array(scales, f"{name}/scales"))
    inputs = [f"{name}/integers", f"{name}/scales"]
    added.append(helper.make_node("DequantizeLinear", inputs, [name], name, axis=0))
    return name
