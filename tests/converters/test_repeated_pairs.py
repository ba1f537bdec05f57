"""OpenVINO runs no second rounding of values that lie on their grid already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import openvino as ov

from edgekit.conversion.protocol import ConversionRequest
from edgekit.conversion.workers import run_worker
from edgekit.quantization.insertion import Scheme
from tests.converters.steps import CONVERTERS, load_converter
from tests.graphs import Graph, floats, renamed, samples, write_samples
from tests.quantization.small import inferred, quantized
from tests.runtimes import run_onnx, run_openvino


def pooled() -> onnx.ModelProto:
    """A MaxPool between two convolutions."""
    g = Graph(2)
    x = g.node("Relu", [g.node("Conv", ["x", g.weight("w", (4, 3, 1, 1), 0.5)], "first")], "relu")
    x = g.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    renamed(g, g.node("Conv", [x, g.weight("v", (2, 4, 1, 1), 0.5)], "second"), "y")
    return inferred(g.model([floats("x", 1, 3, 8, 8)], [floats("y", 1, 2, 4, 4)]))


def fakes(path: Path) -> int:
    """Of activations: those of weights became integers."""
    operations = ov.Core().read_model(path).get_ordered_ops()
    return sum(operation.get_type_name() == "FakeQuantize" for operation in operations)


def test_the_pair_behind_a_pool_is_left_out_and_answers_stay(tmp_path: Path) -> None:
    model, openvino = pooled(), load_converter("openvino")
    source = tmp_path / "qdq.onnx"
    data = samples(model, 8)
    onnx.save(quantized(model, data, Scheme(pairs="read")), source)
    variant = next(item for item in openvino.variants if item.quantized_by == "edgekit")
    made = {}
    for pairs in ("all", "read"):
        out = tmp_path / pairs
        out.mkdir()
        request: ConversionRequest = {
            "source": str(source), "io": None, "out_dir": str(out), "precision": "int8",
            "options": {**variant.options, "int8_pairs": pairs},
            "calibration": str(write_samples(data, tmp_path / f"samples-{pairs}")), "task": "image-classification",
            "threads": 1,
        }  # fmt: skip
        reply = run_worker(openvino, CONVERTERS / "openvino", request, log=tmp_path / "log")
        made[pairs] = out / reply["artifact"]
    assert (fakes(made["all"]), fakes(made["read"])) == (3, 2)  # x, behind the ReLU, behind the pool
    wanted = run_onnx(source, data)
    for path in made.values():
        for found, answer in zip(run_openvino(path, data, openvino.runtime_options), wanted, strict=True):
            # sums of integers are the same in both, what follows is in float
            np.testing.assert_allclose(found["y"], answer["y"], rtol=1e-4, atol=1e-5)
