"""Keep the bias of channels whose weights are next to nothing.

ai-edge-quantizer takes a weight's scale from the largest of its channel, and the bias has that scale times the input's:
of a channel that a batch norm or pruning made zero, int32 cannot hold the bias, and it is lost without a word. Its largest
weight is raised to what gives the bias room. What that weight then adds is at most ``127 * steps / 2**31`` of the bias,
``steps`` being the input's: 2e-5 in 8 bits, 0.4 % in 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Array = np.ndarray[Any, Any]
INT8_MAX, INT32_MAX = 127, 2**31 - 1
MARGIN = 1.01
CHANNEL_AXIS = {
    schema.BuiltinOperator.CONV_2D: 0,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    schema.BuiltinOperator.FULLY_CONNECTED: 0,
}
"""Operator -> axis of its weights that counts the output channels."""


def hold_biases(source: Path, held: Path, ranges: Mapping[str, Mapping[str, Array]], steps: int) -> int:
    """Write ``source`` with room for its biases to ``held``; how many channels needed it, 0: nothing is written.

    ranges: ``min`` and ``max`` of each activation by its name, as the quantizer will use them.
    steps: into which an activation's range is divided.
    """
    content = source.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    count = 0
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            axis = CHANNEL_AXIS.get(max(code.builtinCode, code.deprecatedBuiltinCode))
            if axis is None or len(operator.inputs) < 3 or operator.inputs[2] < 0:
                continue
            x, weights, bias = (graph.tensors[index] for index in operator.inputs[:3])
            known, values = ranges.get(x.name.decode()), _floats(weights, model, content)
            offsets = _floats(bias, model, content)
            if not known or values is None or offsets is None:
                continue
            scale = (max(0.0, float(np.max(known["max"]))) - min(0.0, float(np.min(known["min"])))) / steps
            if scale > 0 and (raised := _raise(values, offsets, scale, axis)):
                count += raised
                buffer = model.buffers[weights.buffer]
                buffer.data, buffer.offset, buffer.size = np.frombuffer(values.tobytes(), np.uint8), 0, 0
    if count:
        for buffer in model.buffers:
            if buffer.offset > 1:
                inside = content[buffer.offset : buffer.offset + buffer.size]
                buffer.data, buffer.offset, buffer.size = np.frombuffer(inside, np.uint8), 0, 0
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        held.write_bytes(builder.Output())
    return count


def _raise(weights: Array, bias: Array, scale: float, axis: int) -> int:
    """Raise, in place, the largest weight of each channel that leaves its bias no room; how many there were."""
    rows = np.moveaxis(weights, axis, 0)
    needed = MARGIN * INT8_MAX * np.abs(bias) / (INT32_MAX * scale)
    largest = np.abs(rows).reshape(len(rows), -1).max(axis=1)
    small = np.flatnonzero(largest < needed)
    for channel in small:
        place = np.unravel_index(np.abs(rows[channel]).argmax(), rows[channel].shape)
        rows[channel][place] = needed[channel]
    return len(small)


def _floats(tensor: Any, model: Any, content: bytes) -> Array | None:
    """The values of a float constant; None where it is computed, or no float."""
    buffer = model.buffers[tensor.buffer]
    stored = buffer.data is not None or buffer.offset > 1
    if tensor.type != schema.TensorType.FLOAT32 or not stored:
        return None
    inside = content[buffer.offset : buffer.offset + buffer.size] if buffer.offset > 1 else bytes(buffer.data)
    return np.frombuffer(inside, np.float32).reshape(tensor.shape).copy()
