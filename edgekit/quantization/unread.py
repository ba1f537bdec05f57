"""Take out pairs that no integer arithmetic reads: the rounding of values that go on in float.

For runtimes whose integer kernels hand on floats, and take in what follows them (OpenVINO: activations, sums, products).
PP-OCRv4 recognition takes 0.95 of NNCF's time instead of 1.11, most pairs having stood before float hard-swishes;
YOLOv3-tiny, whose every convolution was rounded before its LeakyReLU and after it, gains 3 dB.
"""

from __future__ import annotations

from collections.abc import Collection

import onnx

from edgekit.models.editing import set_nodes
from edgekit.quantization.naming import RENAMED, quantized_name
from edgekit.quantization.placement import ACTIVATIONS, ELEMENT_BY_ELEMENT, QUANTIZED_OPERATORS, WEIGHTED

_HANDS_ON_FLOATS = WEIGHTED | ELEMENT_BY_ELEMENT
"""Operators whose kernels hold floats before they write."""


def drop_unread_pairs(graph: onnx.GraphProto, source: onnx.GraphProto, in_float: Collection[str]) -> None:
    """Remove each QuantizeLinear with its DequantizeLinear whose value only nodes in float, or the user, take.

    Nodes in float are also an activation, and a sum with one of its operands, behind an operator that hands on floats:
    one kernel computes both. Where the pair had swallowed a ReLU or Clip, that is put back. ``in_float``: names of nodes
    that are not quantized although their operator could be.
    """
    makers = {name: node for node in source.node for name in node.output}
    names = {node.name for node in graph.node}
    gone: set[str] = set()
    back: dict[str, onnx.NodeProto] = {}
    renamed: dict[str, str] = {}
    joined: set[str] = set()  # sums that take one operand in float; of two, no kernel could
    for node in graph.node:
        if node.op_type != "QuantizeLinear":
            continue
        readers = [reader for reader in graph.node if node.output[0] in reader.input]
        values = {reader.output[0] for reader in readers if reader.op_type == "DequantizeLinear"}
        users = [user for user in graph.node if values & set(user.input)]
        tensor = quantized_name(node)
        maker = makers.get(tensor)
        if len(values) != len(readers) or maker is None:  # None: an input of the model
            continue
        if any(_computes_in_int8(user, in_float) for user in users):
            if len(users) > 1 or not _goes_on_in(maker, users[0]) or users[0].name in joined:
                continue
            joined.add(users[0].name)
        gone |= {node.name, *(reader.name for reader in readers)}
        swallowed = maker.name not in names
        real = f"{tensor}{RENAMED}" if swallowed else tensor
        renamed |= {node.input[0]: real} | dict.fromkeys(values, tensor)
        if swallowed:
            activation = onnx.NodeProto()
            activation.CopyFrom(maker)
            activation.input[0] = real
            back[node.name] = activation
            missing = set(activation.input[1:]) - {tensor.name for tensor in graph.initializer}
            graph.initializer.extend(tensor for tensor in source.initializer if tensor.name in missing)
    kept = [node for node in graph.node if node.name not in gone]
    for node in kept:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    # an activation stands where its pair stood: behind what it takes, before all that take it
    set_nodes(
        graph,
        [back.get(node.name, node) for node in graph.node if node.name in back or node.name not in gone],
    )


def _computes_in_int8(node: onnx.NodeProto, in_float: Collection[str]) -> bool:
    return node.op_type in QUANTIZED_OPERATORS and node.name not in in_float


def _goes_on_in(maker: onnx.NodeProto, user: onnx.NodeProto) -> bool:
    """One kernel computes both."""
    return maker.op_type in _HANDS_ON_FLOATS and user.op_type in ACTIVATIONS | {"Add"}
