"""Keep onnxruntime from quantizing, on loading, the weights that were left in float on purpose.

Its WeightBiasQuantization takes every Conv, ConvTranspose and Gemm with float weights between a DequantizeLinear and a
QuantizeLinear for a forgotten one, and rounds them, with one scale for all channels (pull requests 22969 and 25673
there): a model that loses everything in one layer loses it again. A maximum with the least of all floats changes no
value and ends that pattern; between int8 and float the values are copied anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit.quantization.placement import ACTIVATIONS

GUARD = "/in_float"
LEAST = "in_float/least"
_TAKEN_BACK = frozenset({"Conv", "ConvTranspose", "Gemm"})


def guard_float(graph: onnx.GraphProto, names: Sequence[str]) -> None:
    """Part the nodes called ``names`` in the QDQ ``graph`` from the QuantizeLinear behind them, where there is one."""
    guarded = [node for node in graph.node if node.name in names and node.op_type in _TAKEN_BACK]
    for node in guarded:
        _guard(graph, node)
    if guarded and not any(tensor.name == LEAST for tensor in graph.initializer):
        graph.initializer.append(least())


def least() -> onnx.TensorProto:
    """The constant that a guard compares with."""
    return numpy_helper.from_array(np.asarray(np.finfo(np.float32).min, np.float32), LEAST)


def guard(taken: str, made: str, name: str) -> onnx.NodeProto:
    """A node called ``name`` that makes ``made`` of ``taken`` and changes nothing; the graph needs :func:`least`."""
    return helper.make_node("Max", [taken, LEAST], [made], name)


def _guard(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    name, last = node.name, node
    users = _users(graph, last)
    while len(users) == 1 and users[0].op_type in ACTIVATIONS:
        last = users[0]
        users = _users(graph, last)
    if not any(user.op_type == "QuantizeLinear" for user in users):
        return
    tensor = last.output[0]
    last.output[0] = tensor + GUARD
    place = next(index for index, other in enumerate(graph.node) if other.name == last.name)
    graph.node.insert(place + 1, guard(tensor + GUARD, tensor, name + GUARD))


def _users(graph: onnx.GraphProto, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    return [other for other in graph.node if node.output[0] in other.input]
