"""A channel without weights, as batch norms leave them, keeps its bias when LiteRT's quantizer makes integers of it."""

from __future__ import annotations

import json
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit.conversion.parity import fidelity
from edgekit.conversion.workers import run_worker
from tests.converters.steps import CONVERTERS, DATA, Steps, load_converter
from tests.runtimes import run_tflite

CHANNELS = (3, 17)
BIAS = 2.0


def without_weights(source: Path, changed: Path) -> Path:
    """``source`` with two channels of its first convolution that are their bias alone."""
    model = schema.ModelT.InitFromPackedBuf(source.read_bytes(), 0)
    (graph,) = model.subgraphs
    _, weights, bias = (graph.tensors[index] for index in graph.operators[0].inputs)
    for tensor, value in ((weights, 0.0), (bias, BIAS)):
        buffer = model.buffers[tensor.buffer]
        values = np.frombuffer(bytes(buffer.data), np.float32).reshape(tensor.shape).copy()
        values[list(CHANNELS)] = value
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    changed.write_bytes(builder.Output())
    return changed


def test_channels_of_zeros_keep_their_bias(tmp_path: Path) -> None:
    steps, litert = Steps("tiny_cnn", tmp_path), load_converter("litert")
    source = without_weights(DATA / "tiny_cnn.tflite", tmp_path / "zeros.tflite")
    io = json.loads((DATA / "tiny_cnn.json").read_text())
    variant = next(item for item in litert.variants if item.name == "aeq")
    request = steps.request(source, tmp_path / "out", variant, io)
    reply = run_worker(litert, CONVERTERS / "litert", request, log=steps.log)
    assert reply["tools"][0]["arguments"]["held_biases"] == len(CHANNELS)
    wanted = run_tflite(source, steps.inputs, io)
    found = fidelity(wanted, run_tflite(tmp_path / "out" / reply["artifact"], steps.inputs, reply["io"]))
    # 11 dB, as much as min/max ranges and nearest rounding keep of this model; without the two biases 0.5
    assert found.sqnr_db > 8
