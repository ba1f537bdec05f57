"""The fitted model in other converters' hands: the same integers, the same ranges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.conversion.protocol import ConversionRequest, IoMap
from edgekit.conversion.qdq import GRID, RANGES, quantize
from edgekit.conversion.workers import run_worker
from edgekit.models import load_model, prepare_onnx
from edgekit.quantization.travel import activation_ranges
from tests.converters.steps import CONVERTERS, Steps, load_converter, need_environment
from tests.runtimes import run_onnx

GHOSTNET = Path(__file__).parents[2] / "examples" / "ghostnet" / "ghostnet.onnx"
Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


def constants(model: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def layers(qdq: onnx.ModelProto) -> dict[str, Array]:
    """Integers of each layer's weights, by node name."""
    values = constants(qdq)
    makers = {node.output[0]: node.input[0] for node in qdq.graph.node if node.op_type == "DequantizeLinear"}
    return {
        node.name: values[makers[node.input[1]]]
        for node in qdq.graph.node
        if node.op_type in ("Conv", "Gemm") and makers.get(node.input[1], "") in values
    }


@pytest.fixture
def made(tmp_path: Path) -> Path:
    steps = Steps("tiny_cnn", tmp_path)
    steps.qdq()
    return tmp_path


def test_a_quantizer_by_largest_weights_finds_the_same_integers(made: Path) -> None:
    qdq, grid = onnx.load(made / "qdq" / "qdq.onnx"), onnx.load(made / "qdq" / GRID)
    weights = {
        node.name: constants(grid)[node.input[1]]
        for node in grid.graph.node
        if node.op_type in ("Conv", "Gemm")
    }
    found = layers(qdq)
    assert len(found) == 4
    for name, integers in found.items():
        rows = weights[name] if weights[name].ndim == 4 else weights[name].T
        flat = rows.reshape(len(rows), -1)
        scales = np.abs(flat).max(axis=1, keepdims=True) / 127
        again = np.rint(flat / scales)
        wanted = integers if integers.ndim == 4 else integers.T
        np.testing.assert_array_equal(again, wanted.reshape(again.shape))


def test_the_grid_is_a_float_model_with_the_quantized_weights(made: Path) -> None:
    """Its answers differ from the quantized ones by the rounding of activations alone."""
    steps = Steps("tiny_cnn", made / "again")
    grid = run_onnx(made / "qdq" / GRID, steps.inputs)
    for ours, theirs in zip(grid, run_onnx(made / "qdq" / "qdq.onnx", steps.inputs), strict=True):
        # 255 steps through four layers
        np.testing.assert_allclose(ours["y"], theirs["y"], atol=0.05)


def test_ranges_are_those_of_the_pairs_and_reach_what_a_relu_was_fused_into(made: Path) -> None:
    source, qdq = onnx.load(made / "tiny_cnn.onnx"), onnx.load(made / "qdq" / "qdq.onnx")
    ranges = json.loads((made / "qdq" / RANGES).read_text())
    assert ranges == {name: list(range_) for name, range_ in activation_ranges(source, qdq).items()}
    relu = next(node for node in source.graph.node if node.op_type == "Relu")
    assert ranges[relu.input[0]] == ranges[relu.output[0]]
    assert ranges[relu.output[0]][0] == 0
    assert ranges["x"][0] < 0 < ranges["x"][1]


@pytest.mark.network
@pytest.mark.slow
def test_litert_gets_the_very_integers_of_the_qdq_graph(tmp_path: Path) -> None:
    onnx2tf, litert = load_converter("onnx2tf"), load_converter("litert")
    need_environment(onnx2tf)
    source = prepare_onnx(load_model(GHOSTNET), tmp_path / "ghostnet.onnx")
    samples = tmp_path / "samples"
    samples.mkdir()
    rng = np.random.default_rng(5)
    for number in range(12):
        image = rng.standard_normal((1, 1, 28, 28)).astype(np.float32)
        np.savez(samples / f"{number:05}.npz", image=image)
    folders = {name: tmp_path / name for name in ("quantized", "float", "int8")}
    for folder in folders.values():
        folder.mkdir()

    def request(model: Path, out: Path, io: IoMap | None = None) -> ConversionRequest:
        return {
            "source": str(model),
            "io": io,
            "out_dir": str(out),
            "precision": "int8",
            "options": {"int8_activations": "uint8", "recipe": "static_wi8_ai8"},
            "calibration": str(samples),
            "task": "image-classification",
            "threads": 2,
        }

    log = tmp_path / "log"
    quantize(request(source, folders["quantized"]), log=log)
    ranges = json.loads((folders["quantized"] / RANGES).read_text())
    grid = request(folders["quantized"] / GRID, folders["float"])
    reply = run_worker(onnx2tf, CONVERTERS / "onnx2tf", grid, log=log)
    tensors = reply.get("source_tensors", {})
    last = request(folders["float"] / "model.tflite", folders["int8"], reply["io"])
    last["ranges"] = {name: ranges[source] for name, source in tensors.items() if source in ranges}
    given = run_worker(litert, CONVERTERS / "litert", last, log=log)["tools"][0]["arguments"]["given_ranges"]
    # all but what onnx2tf makes several operators of
    assert isinstance(given, int)
    assert given >= 0.8 * len(ranges)

    wanted = layers(onnx.load(folders["quantized"] / "qdq.onnx"))
    found = {
        bytes(np.sort(weights.astype(np.int8).reshape(-1))) for weights in tflite_weights(folders["int8"])
    }
    assert {bytes(np.sort(weights.reshape(-1))) for weights in wanted.values()} <= found


def tflite_weights(folder: Path) -> list[Array]:
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(folder / "model.tflite"))
    operators = [
        item for item in model._get_ops_details() if "CONV" in item["op_name"] or "FULLY" in item["op_name"]
    ]
    return [model.get_tensor(int(item["inputs"][1])) for item in operators]
