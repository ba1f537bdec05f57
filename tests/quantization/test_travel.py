"""The fitted model in other converters' hands: the same integers, the same ranges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import numpy_helper

from edgekit.catalog_schema import Variant
from edgekit.conversion.protocol import ConversionRequest, IoMap
from edgekit.conversion.qdq import GRID, IN_FLOAT, RANGES, quantize
from edgekit.conversion.workers import run_worker
from edgekit.models import load_model, prepare_onnx
from edgekit.quantization.travel import activation_ranges, nodes_in_float
from tests.converters.steps import CONVERTERS, DATA, Steps, load_converter, need_environment
from tests.graphs import Graph, floats, renamed, samples, write_samples
from tests.runtimes import run_onnx

GHOSTNET = Path(__file__).parents[2] / "examples" / "ghostnet" / "ghostnet.onnx"
Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


def constants(model: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def scales(qdq: onnx.ModelProto) -> dict[str, Array]:
    """Of each layer's weights, one a channel, by node name."""
    values = constants(qdq)
    makers = {node.output[0]: node.input for node in qdq.graph.node if node.op_type == "DequantizeLinear"}
    return {
        name: values[makers[node.input[1]][1]]
        for name in layers(qdq)
        for node in qdq.graph.node
        if node.name == name
    }


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


def test_nodes_in_float_are_those_that_no_pair_surrounds(made: Path) -> None:
    source, qdq = onnx.load(made / "tiny_cnn.onnx"), onnx.load(made / "qdq" / "qdq.onnx")
    assert json.loads((made / "qdq" / IN_FLOAT).read_text()) == nodes_in_float(source, qdq) == ["softmax"]


def test_a_factor_between_pairs_is_in_float(tmp_path: Path) -> None:
    """Its inputs come out of a pair and its result goes into one; still, nothing multiplies integers there."""
    g = Graph(6)
    x = g.node("Conv", ["x", g.weight("w", (8, 3, 3, 3), 0.3)], "conv1")
    x = g.node("Mul", [x, g.weight("factor", (1, 8, 1, 1), 1.0)], "factors")
    renamed(g, g.node("Conv", [x, g.weight("v", (4, 8, 1, 1), 0.3)], "conv2"), "y")
    model = g.model([floats("x", 1, 3, 8, 8)], [floats("y", 1, 4, 6, 6)])
    calibration = write_samples(samples(model, 8), tmp_path / "calibration")
    onnx.save(model, tmp_path / "model.onnx")
    out = tmp_path / "out"
    out.mkdir()
    request: ConversionRequest = {
        "source": str(tmp_path / "model.onnx"),
        "io": None,
        "out_dir": str(out),
        "precision": "int8",
        "options": {"int8_activations": "uint8", "effort": "fast"},
        "calibration": str(calibration),
        "task": "tensor",
        "threads": 1,
    }
    quantize(request, log=tmp_path / "log")
    assert json.loads((out / IN_FLOAT).read_text()) == ["factors"]


def test_a_layer_that_is_kept_is_in_float(tmp_path: Path) -> None:
    steps = Steps("tiny_cnn", tmp_path)
    out = tmp_path / "kept"
    variant = Variant(precision="int8", quantized_by="edgekit", needs_calibration=True)
    request = steps.request(steps.onnx, out, variant)
    request["options"]["float_nodes"] = '["conv2"]'
    quantize(request, log=steps.log)
    assert json.loads((out / IN_FLOAT).read_text()) == ["conv2", "softmax"]


def test_litert_leaves_in_float_what_it_is_told(tmp_path: Path) -> None:
    """With what only hands its values on; the layers around it compute in int8."""
    steps, litert = Steps("tiny_cnn", tmp_path), load_converter("litert")
    variant = next(item for item in litert.variants if item.takes == "grid")
    io = json.loads((DATA / "tiny_cnn.json").read_text())
    request = steps.request(DATA / "tiny_cnn.tflite", tmp_path / "out", variant, io)
    request["in_float"] = ["conv2_output_nhwc"]
    reply = run_worker(litert, CONVERTERS / "litert", request, log=steps.log)
    assert reply["tools"][0]["arguments"]["in_float"] == 1
    assert [weights.dtype.name for weights in tflite_weights(tmp_path / "out")] == [
        "int8",
        "int8",
        "float32",
        "int8",
    ]


def test_litert_computes_sums_in_16_bits_where_it_is_told(tmp_path: Path) -> None:
    """Of the operators it is given products and sums alone; the layers around them stay in 8 bits."""
    steps, litert = Steps("tiny_cnn", tmp_path), load_converter("litert")
    variant = next(item for item in litert.variants if item.takes == "grid")
    io = json.loads((DATA / "tiny_cnn.json").read_text())
    request = steps.request(DATA / "tiny_cnn.tflite", tmp_path / "out", variant, io)
    request["wide"] = ["add_out__raw", "pool_out"]
    reply = run_worker(litert, CONVERTERS / "litert", request, log=steps.log)
    assert reply["tools"][0]["arguments"]["wide"] == 1
    model = Interpreter(str(tmp_path / "out" / "model.tflite"))
    dtypes = {detail["index"]: np.dtype(detail["dtype"]).name for detail in model.get_tensor_details()}
    made = {item["op_name"]: dtypes[item["outputs"][0]] for item in model._get_ops_details()}
    assert (made["ADD"], made["CONV_2D"], made["MEAN"]) == ("int16", "int8", "int8")


@pytest.mark.network
@pytest.mark.slow
def test_what_a_transposed_convolution_makes_before_its_bias_has_no_source(tmp_path: Path) -> None:
    """onnx2tf calls it as the result; in the range of that, behind a ReLU, it would lose all that is negative."""
    onnx2tf = load_converter("onnx2tf")
    need_environment(onnx2tf)
    g = Graph(3)
    up = g.node(
        "ConvTranspose",
        ["x", g.weight("w", (8, 6, 2, 2), 0.3), g.weight("b", (6,), 2.0)],
        "up",
        strides=[2, 2],
    )
    g.node("Relu", [up], "relu")
    renamed(g, g.node("Conv", ["relu_out", g.weight("v", (4, 6, 1, 1), 0.3)], "conv"), "y")
    onnx.save(g.model([floats("x", 1, 8, 6, 6)], [floats("y", 1, 4, 12, 12)]), tmp_path / "up.onnx")
    out = tmp_path / "out"
    out.mkdir()
    request: ConversionRequest = {
        "source": str(tmp_path / "up.onnx"),
        "io": None,
        "out_dir": str(out),
        "precision": "fp32",
        "options": {},
        "calibration": None,
        "task": "tensor",
        "threads": 1,
    }
    tensors = run_worker(onnx2tf, CONVERTERS / "onnx2tf", request, log=tmp_path / "log")["source_tensors"]
    model = Interpreter(str(out / "model.tflite"))
    names = {detail["index"]: detail["name"] for detail in model.get_tensor_details()}
    kinds = {names[operator["outputs"][0]]: operator["op_name"] for operator in model._get_ops_details()}
    named = {kinds[name]: source for name, source in tensors.items() if name in kinds}
    assert named.pop("ADD") in ("up_out", "relu_out")
    assert "TRANSPOSE_CONV" not in named


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

    # and the scales that they were written with, found again from the largest weight: a rounding of float32 apart
    model = Interpreter(str(folders["int8"] / "model.tflite"))
    written = [
        np.sort(np.ravel(detail["quantization_parameters"]["scales"]))
        for detail in model.get_tensor_details()
    ]
    for values in scales(onnx.load(folders["quantized"] / "qdq.onnx")).values():
        same = [other for other in written if other.size == values.size]
        assert any(np.allclose(other, np.sort(values), rtol=1e-6, atol=0) for other in same)


def tflite_weights(folder: Path) -> list[Array]:
    model = Interpreter(str(folder / "model.tflite"))
    operators = [
        item for item in model._get_ops_details() if "CONV" in item["op_name"] or "FULLY" in item["op_name"]
    ]
    return [model.get_tensor(int(item["inputs"][1])) for item in operators]
