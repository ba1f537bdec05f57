"""Files that well-known tools write without an error and that are wrong; the gate must refuse each, with a reason.

Every file is really made, with the tool's defaults or the option that leads there. What our own workers do about
it (the mode, order or refusal that avoids it) is tested beside, so that the case shows what it is there for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph

from edgekit.conversion.parity import fidelity, judge
from edgekit.conversion.weights import stored_weights
from edgekit.errors import ModelError, WorkerError
from edgekit.models import load_model
from edgekit.telemetry import opt_out
from edgekit.vocabulary import Precision
from tests.converters.steps import DATA, Steps
from tests.graphs import Graph, floats, renamed, samples, tiny_bert, tiny_cnn
from tests.runtimes import Arrays, run_onnx, run_openvino, run_tflite

# how ai-edge-quantizer calibrates; its interpreter warns of the memory
PRESERVES_ALL_TENSORS = pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning")


class Reader:
    """The calibration reader that onnxruntime's examples show."""

    def __init__(self, inputs: list[Arrays]) -> None:
        self.rest = iter(inputs)

    def get_next(self) -> Arrays | None:
        return next(self.rest, None)


class Case:
    """A model, samples to calibrate with and others to compare on."""

    def __init__(self, model: onnx.ModelProto, folder: Path) -> None:
        self.model = model
        self.source, self.made = folder / "source.onnx", folder / "made.onnx"
        onnx.save(model, self.source)
        self.calibration, self.inputs = samples(model, 8), samples(model, 8, seed=9)
        self.wanted = run_onnx(self.source, self.inputs)

    def verdict(self, answers: list[Arrays], precision: Precision) -> str | None:
        return judge(fidelity(self.wanted, answers), precision)

    def quantize_static(self, *, inputs: list[Arrays] | None = None, **extra_options: Any) -> None:
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

        quantize_static(
            self.source,
            self.made,
            Reader(self.calibration if inputs is None else inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            extra_options=extra_options,
        )


@pytest.fixture
def bert(tmp_path: Path) -> Case:
    return Case(tiny_bert(), tmp_path)


@pytest.fixture
def cnn(tmp_path: Path) -> Case:
    return Case(tiny_cnn(), tmp_path)


def test_static_int8_of_bert_by_onnxruntime(bert: Case, tmp_path: Path) -> None:
    bert.quantize_static()
    reason = bert.verdict(run_onnx(bert.made, bert.inputs), "int8")
    assert reason is not None
    assert "output 'embedding': SQNR" in reason

    # edgekit's placement leaves attention and its mask in float
    steps = Steps("tiny_bert", tmp_path / "ours")
    assert judge(fidelity(steps.wanted, run_onnx(steps.qdq(), steps.inputs)), "int8") is None


@PRESERVES_ALL_TENSORS
def test_static_int8_of_bert_by_ai_edge_quantizer(tmp_path: Path) -> None:
    from ai_edge_quantizer import quantizer, recipe

    (tmp_path / "case").mkdir()
    case = Case(tiny_bert(), tmp_path / "case")
    aeq = quantizer.Quantizer(str(DATA / "tiny_bert.tflite"))
    aeq.load_quantization_recipe(recipe.static_wi8_ai8())
    for end in ("INPUT", "OUTPUT"):
        aeq.update_quantization_recipe(".*", end, algorithm_key="no_quantize")
    ranges = aeq.calibrate({"serving_default": case.calibration}, num_threads=1)
    aeq.quantize(ranges).export_model(str(tmp_path / "made.tflite"))
    names: Any = {"name": "embedding_dequant", "source": "embedding", "transpose": None, "dtype": "float32"}
    inputs: Any = [
        {"name": name, "source": name, "transpose": None, "dtype": "int64"} for name in case.inputs[0]
    ]
    answers = run_tflite(tmp_path / "made.tflite", case.inputs, {"inputs": inputs, "outputs": [names]})
    reason = case.verdict(answers, "int8")
    assert reason is not None
    assert "SQNR" in reason


@PRESERVES_ALL_TENSORS
def test_a_generator_is_used_up_before_ai_edge_quantizer_calibrates() -> None:
    from ai_edge_quantizer import quantizer, recipe

    def generator() -> Iterator[Arrays]:
        for sample in samples(tiny_cnn(), 4):
            yield {"x": np.ascontiguousarray(sample["x"].transpose(0, 2, 3, 1))}

    aeq = quantizer.Quantizer(str(DATA / "tiny_cnn.tflite"))
    aeq.load_quantization_recipe(recipe.static_wi8_ai8())
    ranges = aeq.calibrate({"serving_default": generator()}, num_threads=1)
    with pytest.raises((ValueError, RuntimeError), match="QSV"):
        aeq.quantize(ranges)


def test_per_channel_qdq_before_opset_13(tmp_path: Path) -> None:
    case = Case(tiny_cnn(opset=12), tmp_path)
    case.quantize_static()
    assert case.made.stat().st_size > 0  # a file, and no error
    with pytest.raises(InvalidGraph, match="DequantizeLinear"):
        run_onnx(case.made, case.inputs)

    steps = Steps("tiny_cnn", tmp_path / "ours")
    onnx.save(tiny_cnn(opset=12), steps.onnx)
    with pytest.raises(WorkerError, match="opset 12 cannot hold per-channel scales"):
        steps.qdq()


def spread_cnn() -> onnx.ModelProto:
    """Channels from .01 to 100, as folded BatchNorm leaves them before a depthwise convolution."""
    g = Graph(8)
    spread = np.exp(g.rng.uniform(np.log(0.01), np.log(100), (40, 1, 1, 1)))
    first = (g.rng.standard_normal((40, 3, 3, 3)) * 0.3 * spread).astype(np.float32)
    depthwise = (g.rng.standard_normal((40, 1, 3, 3)) * 0.4 / spread).astype(np.float32)
    x = g.node("Relu", [g.node("Conv", ["x", g.constant("w1", first)], "conv1", pads=[1] * 4)], "relu1")
    x = g.node("Conv", [x, g.constant("wd", depthwise)], "depthwise", pads=[1] * 4, group=40)
    x = g.node("Conv", [g.node("Relu", [x], "relu2"), g.weight("w2", (40, 40, 1, 1), 0.2)], "conv2")
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "pool")], "flatten")
    renamed(g, g.node("Gemm", [x, g.weight("w3", (40, 10), 1.0)], "fc"), "y")
    return g.model([floats("x", 1, 3, 16, 16)], [floats("y", 1, 10)])


def test_dynamic_int8_of_a_cnn_by_onnxruntime(tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    case = Case(spread_cnn(), tmp_path)
    quantize_dynamic(case.source, case.made, per_channel=True, weight_type=QuantType.QUInt8)
    reason = case.verdict(run_onnx(case.made, case.inputs), "int8-dynamic")
    assert reason is not None
    assert "int8-dynamic needs 7 dB" in reason


def test_ranges_of_the_last_samples_only(cnn: Case) -> None:
    """``CalibMaxIntermediateOutputs`` is to save memory; it throws away what was seen so far."""
    last = {"x": cnn.calibration[0]["x"] * np.float32(0.05)}
    cnn.quantize_static(inputs=[*cnn.calibration, last], CalibMaxIntermediateOutputs=8)
    assert cnn.verdict(run_onnx(cnn.made, cnn.inputs), "int8") is not None
    cnn.quantize_static(inputs=[*cnn.calibration, last])
    assert cnn.verdict(run_onnx(cnn.made, cnn.inputs), "int8") is None


def test_matmul_quantizer_after_fusion_to_gemm(tmp_path: Path) -> None:
    """What simplifiers make of MatMul + Add is passed over: the same numbers, the same size, called int8."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    g = Graph(3)
    x = g.node("Gemm", ["x", g.weight("w1", (64, 64), 0.2), g.weight("b1", (64,), 0.1)], "up")
    renamed(g, g.node("Gemm", [g.node("Relu", [x], "relu"), g.weight("w2", (64, 8), 0.2)], "down"), "y")
    case = Case(g.model([floats("x", 1, 64)], [floats("y", 1, 8)]), tmp_path)
    tool = MatMulNBitsQuantizer(case.model, bits=8, block_size=32, is_symmetric=True)
    tool.process()
    tool.model.save_model_to_file(str(case.made))
    found = fidelity(case.wanted, run_onnx(case.made, case.inputs))
    assert judge(found, "int8") is None  # its numbers are perfect
    reason = judge(found, "int8", weights=stored_weights(case.made, "onnx"))
    assert reason == "nothing was quantized: no weight is stored as int8"


def test_openvino_computes_in_bfloat16_by_default(bert: Case) -> None:
    import openvino as ov

    if "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16, so OpenVINO keeps to float32")
    reason = bert.verdict(run_openvino(bert.source, bert.inputs, {}), "fp32")
    assert reason is not None
    assert "fp32 needs 60 dB" in reason
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    assert bert.verdict(run_openvino(bert.source, bert.inputs, hint), "fp32") is None


def test_two_outputs_of_one_name(tmp_path: Path) -> None:
    """As an exporter of torch 2.13 wrote it; some runtimes load it and answer with either."""
    g = Graph()
    first = g.node("Relu", ["x"], "relu")
    g.node("Neg", [first], "neg")
    model = g.model([floats("x", 1, 4)], [floats("relu_out", 1, 4), floats("neg_out", 1, 4)])
    model.graph.node[1].output[0] = "relu_out"
    model.graph.output[1].name = "relu_out"
    (tmp_path / "double.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="relu_out"):
        load_model(tmp_path / "double.onnx")


@pytest.mark.network
@pytest.mark.slow
def test_nncf_of_minilm_without_its_transformer_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small random transformers survive it; a trained one's outliers do not."""
    monkeypatch.setenv("HOME", str(tmp_path))
    opt_out(tmp_path)
    import nncf
    import openvino as ov

    source, calibration, inputs = minilm(tmp_path)
    wanted = run_onnx(source, inputs)
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    verdicts: dict[Any, str] = {}
    for mode in (None, nncf.ModelType.TRANSFORMER):
        made = nncf.quantize(ov.convert_model(source), nncf.Dataset(calibration), model_type=mode)
        ov.save_model(made, tmp_path / "made.xml")
        answers = run_openvino(tmp_path / "made.xml", inputs, hint)
        verdicts[mode] = judge(fidelity(wanted, answers), "int8") or "good"
    assert "output 'sentence_embedding': SQNR" in verdicts[None]
    assert verdicts[nncf.ModelType.TRANSFORMER] == "good"


def minilm(folder: Path) -> tuple[Path, list[Arrays], list[Arrays]]:
    """The zoo's MiniLM at 32 tokens, with texts of its own calibration file."""
    from edgekit.contracts import load_contract
    from edgekit.data import encode_sample, open_samples
    from edgekit.models import prepare_onnx
    from edgekit.models.zoo import resolve

    model = resolve("minilm")
    contract = load_contract(model.parent / "contract.toml")
    texts = open_samples(model.parent / "calib" / "texts.txt", contract, limit=24)
    encoded = [encode_sample(sample, contract).tensors for sample in texts]
    shapes = {name: value.shape for name, value in encoded[0].items()}
    prepared = prepare_onnx(load_model(model, shapes), folder / "minilm.onnx")
    return prepared, encoded[:16], encoded[16:]
