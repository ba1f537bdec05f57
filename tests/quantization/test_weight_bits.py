"""For x86 without VNNI, weights keep to 7 bits: two products then fit into the 16 bits they are summed in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.conversion.protocol import ConversionRequest
from edgekit.conversion.qdq import quantize


def write_convolution(path: Path) -> Path:
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def quantized_weights(tmp_path: Path, bits: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    samples, out = tmp_path / "samples", tmp_path / "out"
    samples.mkdir()
    out.mkdir()
    x = np.random.default_rng(1).uniform(-1, 1, size=(1, 3, 8, 8)).astype(np.float32)
    np.savez(samples / "00000.npz", x=x)
    request: ConversionRequest = {
        "source": str(write_convolution(tmp_path / "model.onnx")),
        "io": None,
        "out_dir": str(out),
        "precision": "int8",
        "options": {"int8_activations": "uint8", "int8_weight_bits": bits},
        "calibration": str(samples),
        "task": "tensor",
        "threads": 1,
    }
    reply = quantize(request, log=tmp_path / "log")
    assert reply["tools"][0]["arguments"]["weight_bits"] == bits
    tensors = [numpy_helper.to_array(item) for item in onnx.load(out / "qdq.onnx").graph.initializer]
    (weights,) = (tensor for tensor in tensors if tensor.dtype == np.int8 and tensor.ndim == 4)
    return weights


@pytest.mark.parametrize(("bits", "largest"), [(7, 64), (8, 127)])
def test_weights_fill_the_bits_they_may_use(tmp_path: Path, bits: int, largest: int) -> None:
    weights = quantized_weights(tmp_path, bits).astype(int)
    assert abs(weights).max() == largest
