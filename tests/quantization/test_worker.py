"""The QDQ graph: what is stored how, and that it says the same as the float model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.catalog_schema import Variant
from edgekit.conversion.parity import fidelity, judge
from edgekit.conversion.qdq import quantize
from edgekit.conversion.weights import stored_weights
from edgekit.data.arrays import write_arrays
from edgekit.errors import WorkerError
from tests.converters.steps import Steps
from tests.graphs import tiny_cnn
from tests.runtimes import run_onnx

INT8 = Variant(precision="int8", quantized_by="edgekit", needs_calibration=True)


@pytest.fixture
def cnn(tmp_path: Path) -> Steps:
    return Steps("tiny_cnn", tmp_path)


def scales(model: onnx.ModelProto, dtype: type) -> list[np.ndarray]:
    """Scales of the DequantizeLinear nodes whose zero point is ``dtype``."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "DequantizeLinear" and len(node.input) > 2]
    return [values[node.input[1]] for node in nodes if values[node.input[2]].dtype == dtype]


def test_weights_per_channel_and_activations_per_tensor(cnn: Steps) -> None:
    model = onnx.load(cnn.qdq())
    onnx.checker.check_model(model, full_check=True)
    assert sorted(scale.size for scale in scales(model, np.int8)) == [10, 40, 40, 40]
    assert {scale.size for scale in scales(model, np.uint8)} == {1}
    weights = stored_weights(cnn.folder / "qdq" / "qdq.onnx", "onnx")
    assert weights is not None
    assert set(weights) == {"int8"}


def test_both_kinds_of_activations_are_near_the_source(cnn: Steps) -> None:
    for activations in ("uint8", "int8"):
        answers = run_onnx(cnn.qdq(activations, activations), cnn.inputs)
        found = fidelity(cnn.wanted, answers)
        assert judge(found, "int8") is None
        # 8 bits through four layers: 30 dB and more where the ranges are those of the calibration
        assert found.sqnr_db > 25


def test_seven_bits_for_cpus_whose_sums_saturate(cnn: Steps) -> None:
    request = cnn.request(cnn.onnx, cnn.folder / "seven", INT8)
    request["options"]["int8_weight_bits"] = 7
    reply = quantize(request, log=cnn.log)
    model = onnx.load(cnn.folder / "seven" / reply["artifact"])
    weights = [
        numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT8
    ]
    assert max(int(np.abs(weight).max()) for weight in weights) == 64
    assert reply["tools"][0]["arguments"]["weight_bits"] == 7


def test_a_transformer_s_dense_layers_alone(tmp_path: Path) -> None:
    bert = Steps("tiny_bert", tmp_path)
    path = bert.qdq()
    found = fidelity(bert.wanted, run_onnx(path, bert.inputs))
    assert judge(found, "int8") is None
    quantized = Counter(node.op_type for node in onnx.load(path).graph.node)
    assert quantized["DequantizeLinear"] > 12
    assert quantized["QuantizeLinear"] == 8  # the inputs of q, k, v (shared), o, up and down of two layers


def test_names_of_inputs_outputs_and_nodes_stay(cnn: Steps) -> None:
    source, made = onnx.load(cnn.onnx).graph, onnx.load(cnn.qdq()).graph
    assert [value.name for value in made.input] == [value.name for value in source.input]
    assert [value.name for value in made.output] == [value.name for value in source.output]
    names = {node.name for node in made.node}
    # activations whose range the next zero point already cuts are dropped
    assert {node.name for node in source.node} - names <= {"relu1", "relu6"}


def test_an_old_opset_is_refused(tmp_path: Path) -> None:
    steps = Steps("tiny_cnn", tmp_path)
    onnx.save(tiny_cnn(opset=12), steps.onnx)
    with pytest.raises(WorkerError, match="opset 12 cannot hold per-channel scales"):
        steps.qdq()


def test_no_samples(cnn: Steps) -> None:
    for path in cnn.calibration.iterdir():
        path.unlink()
    with pytest.raises(WorkerError, match="no calibration sample in"):
        cnn.qdq()


def test_ranges_and_rounding_are_for_the_asking(cnn: Steps) -> None:
    found = {}
    for ranges, fits in (("entropy", "none"), ("entropy", "best"), ("minmax", "none")):
        request = cnn.request(cnn.onnx, cnn.folder / f"{ranges}-{fits}", INT8)
        request["options"] |= {"effort": "fast", "ranges": ranges, "fits": fits}
        reply = quantize(request, log=cnn.log)
        told = reply["tools"][0]["arguments"]
        assert told["ranges"] == ranges
        found[ranges, fits] = (
            told["fitted_layers"],
            (Path(request["out_dir"]) / reply["artifact"]).read_bytes(),
        )
    assert found["entropy", "none"][0] == found["minmax", "none"][0] == 0
    assert found["entropy", "none"][1] != found["minmax", "none"][1]


def test_unknown_words_are_refused(cnn: Steps) -> None:
    request = cnn.request(cnn.onnx, cnn.folder / "unknown", INT8)
    request["options"]["ranges"] = "entropie"
    with pytest.raises(WorkerError, match="ranges 'entropie' is none of minmax, percentile, mse, entropy"):
        quantize(request, log=cnn.log)


def test_a_sample_that_is_not_finite_is_named(cnn: Steps) -> None:
    path = sorted(cnn.calibration.iterdir())[2]
    x = np.load(path)["x"]
    x[0, 1, 2, 3] = np.nan
    write_arrays(path, {"x": x})
    with pytest.raises(WorkerError, match="input 'x' is infinite or not a number in sample 3"):
        cnn.qdq()
