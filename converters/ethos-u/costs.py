"""What an operator costs whoever computes it: multiply-accumulates, and bytes in and out."""

from __future__ import annotations

import math

import numpy as np
from tflite_graph import Graph, Operator


def macs(graph: Graph, operator: Operator) -> int:
    """Of convolutions and matrix products; 0 for all others."""
    kind, out = graph.op(operator), math.prod(graph.shape(int(operator.outputs[0])))
    if kind == "CONV_2D":  # weights: [out, height, width, in]
        return out * math.prod(graph.shape(int(operator.inputs[1]))[1:])
    if kind == "DEPTHWISE_CONV_2D":  # [1, height, width, out]
        return out * math.prod(graph.shape(int(operator.inputs[1]))[1:3])
    if kind == "TRANSPOSE_CONV":  # shape, weights [out, height, width, in], data
        channels, height, width, _ = graph.shape(int(operator.inputs[1]))
        return math.prod(graph.shape(int(operator.inputs[2]))) * channels * height * width
    if kind == "FULLY_CONNECTED":  # [out, in]
        return out * graph.shape(int(operator.inputs[1]))[-1]
    if kind == "BATCH_MATMUL":
        left = graph.shape(int(operator.inputs[0]))
        return out * (left[-2] if operator.builtinOptions.adjX else left[-1])
    return 0


def bytes_moved(graph: Graph, operator: Operator) -> int:
    """Of everything it reads and writes, constants included."""
    tensors = [int(index) for index in (*operator.inputs, *operator.outputs) if index >= 0]
    return sum(math.prod(graph.shape(index)) * np.dtype(graph.dtype(index)).itemsize for index in tensors)
