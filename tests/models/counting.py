"""A second counter of MACs: run the graph, and count from the arrays that come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from tests.models.building import random, run


def any_input(item: onnx.ValueInfoProto) -> npt.NDArray[Any]:
    """Noise for floats, ones for integers: valid as token ids, masks and types."""
    shape = [side.dim_value for side in item.type.tensor_type.shape.dim]
    return np.ones(shape, np.int64) if item.type.tensor_type.elem_type == TensorProto.INT64 else random(shape)


def macs_by_running(proto: onnx.ModelProto) -> int:
    """MACs of Conv, ConvTranspose, Gemm and MatMul in the main graph of ``proto``, whose shapes are static."""
    seen = onnx.ModelProto()
    seen.CopyFrom(proto)
    names = [name for node in proto.graph.node for name in node.output if name]
    del seen.graph.output[:]
    seen.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    arrays = {item.name: any_input(item) for item in proto.graph.input}
    results = dict(zip(names, run(seen, arrays), strict=True))
    arrays |= results | {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    return sum(_macs(node, arrays) for node in proto.graph.node)


def _macs(node: onnx.NodeProto, arrays: dict[str, npt.NDArray[Any]]) -> int:
    """Each output element is one dot product (of a transposed convolution: each input element spreads)."""
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    left, right, out = (arrays[name] for name in (node.input[0], node.input[1], node.output[0]))
    if node.op_type == "Conv":
        return int(out.size * right[0].size)
    if node.op_type == "ConvTranspose":
        return int(left.size * right[0].size)
    return int(out.size * left.shape[-1])
