"""Chains are found by format, and what cannot work is given up with its reason."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from edgekit.catalog import load_catalog
from edgekit.conversion.candidates import Candidate
from edgekit.conversion.plan import PRECISIONS, Wish, plan
from edgekit.models import Model, load_model
from edgekit.vocabulary import Task
from tests.conversion.project import FP32, INT8, write_converter, write_target
from tests.converters.tiny_tflite import Builder
from tests.graphs import tiny_bert, tiny_cnn


@pytest.fixture
def cnn(tmp_path: Path) -> Model:
    return saved(tiny_cnn(), tmp_path / "cnn.onnx")


@pytest.fixture
def bert(tmp_path: Path) -> Model:
    return saved(tiny_bert(), tmp_path / "bert.onnx")


def saved(proto: onnx.ModelProto, path: Path) -> Model:
    onnx.save(proto, path)
    return load_model(path)


ON_CPUS = tuple(precision for precision in PRECISIONS if precision != "int16x8")


def wish(model: Model, task: Task = "image-classification", *, calibrated: bool = True) -> Wish:
    return Wish(model=model, task=task, calibrated=calibrated)


def planned(target: str, wanted: Wish) -> tuple[Candidate, ...]:
    catalog = load_catalog()
    return plan(catalog, catalog.target(target), wanted)


def reasons(candidates: tuple[Candidate, ...]) -> dict[str, str | None]:
    return {item.label: item.reason for item in candidates}


def test_a_chain_of_three_converters_is_found_by_format(project: Path, cnn: Model) -> None:
    write_converter(project, "one", FP32, emits="ms", runtime=None)
    write_converter(project, "two", FP32, accepts="ms", emits="om", runtime=None)
    write_converter(
        project, "three", FP32, 'precision = "fp16"\n', accepts="om", emits="rknn", runtime="rknn"
    )
    write_target(project, "npu", runtime="rknn", format_="rknn", precisions=("fp32", "fp16"))
    found = planned("npu", wish(cnn))
    assert [(item.way, item.precision, item.reason) for item in found] == [
        ("one > two > three", "fp32", None),
        ("one > two > three", "fp16", None),
    ]


def test_converters_that_lead_in_a_circle_end(project: Path, cnn: Model) -> None:
    write_converter(project, "there", FP32, emits="ms", runtime=None)
    write_converter(project, "back", FP32, accepts="ms", emits="onnx", runtime=None)
    write_converter(project, "last", FP32, accepts="ms", emits="rknn", runtime="rknn")
    write_target(project, "npu", runtime="rknn", format_="rknn", precisions=("fp32",))
    assert [item.way for item in planned("npu", wish(cnn))] == ["there > last"]


def test_a_runtime_that_waits_says_for_what(project: Path, cnn: Model) -> None:
    write_target(project, "npu", more='status = "waiting"\nwaits_for = "its compiler"')
    (found,) = planned("npu", wish(cnn))
    assert found.reason == "nothing can be built for onnxruntime yet: its compiler"
    assert found.converter == "onnxruntime"


def test_precisions_that_are_not_native_are_given_up(project: Path, cnn: Model) -> None:
    write_target(project, "board", precisions=("fp32",))
    found = reasons(planned("board", wish(cnn)))
    assert found["onnxruntime fp32"] is None
    assert found["onnxruntime int8"] == "int8 is not native to onnxruntime there (fp32)"


def test_static_int8_without_calibration_data_is_given_up(project: Path, cnn: Model) -> None:
    write_target(project, "board")
    found = reasons(planned("board", wish(cnn, calibrated=False)))
    assert found["onnxruntime int8"] == (
        "static int8 needs calibration data: give a folder of samples with --calib,"
        " or take synthetic inputs with --data-free"
    )
    assert found["onnxruntime fp32"] is None


@pytest.mark.parametrize("task", ["sentence-embedding", "tensor"])
def test_transformers_get_dynamic_int8_instead_of_static(project: Path, bert: Model, task: Task) -> None:
    write_target(project, "board", precisions=ON_CPUS)
    found = reasons(planned("board", wish(bert, task)))
    assert found["onnxruntime int8-dynamic"] is None
    assert "attention mask" in str(found["onnxruntime int8"])


@pytest.mark.parametrize("task", ["image-classification", "tensor"])
def test_convolutions_get_static_int8_instead_of_onnxruntimes_dynamic(
    project: Path, cnn: Model, task: Task
) -> None:
    write_target(project, "board", precisions=ON_CPUS)
    found = reasons(planned("board", wish(cnn, task)))
    assert found["onnxruntime int8"] is None
    assert found["onnxruntime int8-dynamic"] == "this variant is for transformers on text only"


def test_a_static_variant_made_for_text_is_planned(project: Path, bert: Model) -> None:
    write_converter(project, "smart", FP32, INT8 + 'tasks = "text"\n')
    write_target(project, "board")
    assert reasons(planned("board", wish(bert, "sentence-embedding")))["smart int8"] is None


def test_a_missing_environment_names_the_next_step(project: Path, cnn: Model) -> None:
    write_converter(project, "vendor", FP32, imports="no_such_vendor_sdk")
    write_target(project, "board")
    reason = reasons(planned("board", wish(cnn)))["vendor fp32"]
    assert "no_such_vendor_sdk" in str(reason)
    assert "Try:" in str(reason)


def test_refused_operators_are_named(project: Path, cnn: Model) -> None:
    write_converter(project, "narrow", FP32, supported='["Conv", "Relu"]')
    write_target(project, "board")
    reason = str(reasons(planned("board", wish(cnn)))["narrow fp32"])
    assert "converter 'narrow' refuses Clip 'relu6'" in reason
    assert "edgekit inspect MODEL -t board" in reason


def test_an_already_quantized_model_is_only_repacked(project: Path, tmp_path: Path) -> None:
    proto = tiny_cnn()
    proto.graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"], "dq"))
    proto.graph.node.insert(0, onnx.helper.make_node("QuantizeLinear", ["in", "s", "z"], ["q"], "q"))
    proto.graph.initializer.extend(
        [
            onnx.helper.make_tensor("s", onnx.TensorProto.FLOAT, (), [0.02]),
            onnx.helper.make_tensor("z", onnx.TensorProto.UINT8, (), [128]),
        ]
    )
    proto.graph.input[0].name = "in"
    model = saved(proto, tmp_path / "quantized.onnx")
    assert model.quantized
    write_target(project, "board")
    found = reasons(planned("board", wish(model)))
    assert found["onnxruntime fp32"] is None
    assert "already quantized" in str(found["onnxruntime int8"])


def test_fp32_is_planned_beside_what_was_asked_for(project: Path, cnn: Model) -> None:
    write_target(project, "board", precisions=ON_CPUS)
    wanted = Wish(model=cnn, task="image-classification", calibrated=True, precisions=("int8",))
    assert [item.precision for item in planned("board", wanted)] == ["fp32", "int8"]


QUANTIZED = 'precision = "int8"\nquantized_by = "source"\n'


def npu(project: Path) -> None:
    """A board whose compiler takes quantized files only, beside two converters that quantize."""
    write_converter(project, "step", FP32, emits="ms", runtime=None)
    tool = 'precision = "int8"\nname = "own"\nquantized_by = "tool"\n'
    write_converter(
        project, "quantizer", FP32, INT8, tool, accepts="ms", emits="ms", runtime="mindspore-lite"
    )
    write_converter(project, "compiler", QUANTIZED, accepts="ms", emits="rknn", runtime="rknn")
    write_target(project, "npu", runtime="rknn", format_="rknn", precisions=("int8",))


def test_a_converter_that_takes_quantized_files_follows_one_that_makes_them(
    project: Path, cnn: Model
) -> None:
    npu(project)
    found = planned("npu", wish(cnn))
    assert [(item.way, item.label, item.reason) for item in found] == [
        ("step > quantizer > compiler", "compiler int8", None),
        ("step > quantizer > compiler", "compiler int8 own", None),
    ]
    assert [item.quantizer.converter.id for item in found] == ["quantizer", "quantizer"]
    uncalibrated = reasons(planned("npu", wish(cnn, calibrated=False)))
    assert "needs calibration data" in str(uncalibrated["compiler int8"])
    assert uncalibrated["compiler int8 own"] is None


def test_a_quantized_source_goes_straight_to_it(project: Path, tmp_path: Path) -> None:
    int8 = tiny_int8_tflite(tmp_path / "int8.tflite")
    write_converter(project, "compiler", QUANTIZED, accepts="tflite", emits="rknn", runtime="rknn")
    write_target(project, "npu", runtime="rknn", format_="rknn", precisions=("int8",))
    found = planned("npu", wish(load_model(int8), "tensor", calibrated=False))
    assert [(item.way, item.reason) for item in found] == [("compiler", None)]


def test_a_float_source_never_goes_straight_to_it(project: Path) -> None:
    data = Path(__file__).parents[1] / "converters" / "data" / "tiny_cnn.tflite"
    write_converter(project, "compiler", QUANTIZED, accepts="tflite", emits="rknn", runtime="rknn")
    write_target(project, "npu", runtime="rknn", format_="rknn", precisions=("int8",))
    found = planned("npu", wish(load_model(data)))
    assert {item.way for item in found} == {"litert > compiler"}


def test_what_was_quantized_to_one_width_is_compiled_as_such(cnn: Model) -> None:
    """The Ethos-U has activations of 8 and of 16 bits; CPUs do not list the second, which is slow there."""
    found = planned("ethos-u55-128", wish(cnn))
    widths = {
        tuple(link.variant.precision for link in item.chain[1:]) for item in found if item.reason is None
    }
    assert widths == {("int8", "int8"), ("int16x8", "int16x8")}
    # int8 has a rescue there, too: one more candidate
    (narrow,) = (item for item in found if item.precision == "int8" and item.reason is None)
    assert (narrow.rescues, narrow.widened().variant) == (1, "mixed")
    asked = Wish(model=cnn, task="image-classification", calibrated=True, precisions=("int16x8",))
    (refused,) = {item.reason for item in planned("raspberry-pi-4", asked) if item.precision == "int16x8"}
    assert "int16x8 is not native to litert there" in str(refused)


def tiny_int8_tflite(path: Path) -> Path:
    b = Builder()
    b.tensor("x", [1, 8, 8, 3])
    return b.write(path, [b.conv(0, "conv", 4)])


@pytest.mark.parametrize("target", sorted(load_catalog().targets))
def test_every_bundled_target_has_candidates_or_reasons(target: str, cnn: Model) -> None:
    found = planned(target, wish(cnn))
    assert found
    assert all(item.chain or item.reason for item in found)
    precisions = [PRECISIONS.index(item.precision) for item in found if item.precision]
    # an NPU of integers has none in fp32
    assert precisions[0] == (0 if "fp32" in load_catalog().target(target).runtimes[0].precisions else 3)


def test_edgekit_quantizes_onnx_models_and_the_tool_tflite_files(cnn: Model) -> None:
    data = Path(__file__).parents[1] / "converters" / "data" / "tiny_cnn.tflite"
    by_onnx = reasons(planned("raspberry-pi-4", wish(cnn)))
    by_tflite = reasons(planned("raspberry-pi-4", wish(load_model(data))))
    assert by_onnx["litert int8"] is None
    assert "go before the tool's own" in (by_onnx["litert int8 aeq"] or "")
    assert "litert quantizes a tflite source by itself" in (by_tflite["litert int8"] or "")
    assert by_tflite["litert int8 aeq"] is None


def test_what_will_not_fit_into_memory_is_given_up_with_the_peak(project: Path, cnn: Model) -> None:
    """70 MB hold LiteRT with a tiny model, but not OpenVINO, which takes over 100 MB without one."""
    catalog = load_catalog()
    host = catalog.target("host")
    memory = host.memory.model_copy(update={"ram_bytes": 70_000_000, "usable_share": 1.0})
    found = plan(catalog, host.model_copy(update={"memory": memory}), wish(cnn))
    given_up = reasons(found)
    reason = given_up["openvino fp32"]
    assert reason is not None
    assert "at its peak by prediction" in reason
    assert "an application there has 67 MiB" in reason
    assert given_up["litert fp32"] is None
