"""Artifacts that no machine here runs: they bring a reference that answers and a compiler's figures, marked predicted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema
from typer.testing import CliRunner

from edgekit.bundles import read_bundle
from edgekit.bundles.verify import verify_bundle
from edgekit.catalog import load_catalog
from edgekit.catalog_schema import TargetMemory
from edgekit.cli.main import app
from edgekit.conversion.choose import Entrant, choose
from edgekit.conversion.convert import Conversion, Order, convert
from edgekit.conversion.prediction import CpuOperator, OperatorCycles, Prediction
from edgekit.conversion.targets import memory_problem
from edgekit.devices import LocalDevice
from edgekit.errors import DeviceError
from edgekit.profiling import profile
from edgekit.profiling.predicted import predicted
from edgekit.profiling.stored import compare_measurements
from tests.conversion.project import FP32, reasons, write_converter, write_target
from tests.conversion.stripes import write_sampled_classifier
from tests.conversion.test_choose import entrant, kept
from tests.converters.tiny_tflite import Builder

CHIP = "armv8.1-m"
COMPILER = """
import shutil
from pathlib import Path

FIGURES = {figures}

def convert(request):
    source, out = Path(request["source"]), Path(request["out_dir"])
    (out / "model.bin").write_bytes(b"commands for " + request["options"]["accelerator"].encode())
    shutil.copyfile(source, out / "reference.{format_}")
    io = {{
        "inputs": [{{"name": "x", "source": "x", "transpose": None, "dtype": "{dtype}"}}],
        "outputs": [{{"name": "y", "source": "y", "transpose": None, "dtype": "{dtype}"}}],
    }}
    reference = {{
        "artifact": "reference.{format_}",
        "io": io,
        "format": "{format_}",
        "runtime": "{runtime}",
        "runtime_options": {options},
    }}
    return {{
        "artifact": "model.bin",
        "files": ["model.bin", "reference.{format_}"],
        "io": io,
        "tools": [{{"tool": "compiler", "version": "1", "arguments": {{}}}}],
        "notes": [],
        "source_nodes": {{"tensor": "conv"}},
        "reference": reference,
        "prediction": FIGURES,
    }}
"""
"""A compiler of commands that only its chip reads."""


def figures(**changed: object) -> Prediction:
    facts = {
        "tool": "compiler",
        "version": "1",
        "accelerator": "chip-1",
        "system_config": "fast",
        "memory_mode": "shared",
        "clock_hz": 200_000_000,
        "cycles": 1_000_000,
        "latency_ms": 5.0,
        "sram_bytes": 100_000,
        "flash_bytes": 50_000,
        "dram_bytes": 0,
        "cpu_arena_bytes": 120_000,
        "macs": 1000,
        "npu_macs": 900,
        "npu_operators": 3,
        "cpu_operators": [
            {"name": "tensor", "op": "ODD", "reason": "no such unit", "macs": 100, "bytes_moved": 64}
        ],
        "operators": [{"name": "tensor", "op": "Conv", "cycles": 1_000_000}],
    }
    return Prediction.model_validate({**facts, **changed})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sampled_classifier(tmp_path_factory.mktemp("stripes"))


def made(
    project: Path, model: Path, foretold: Prediction | None = None, latency_ms: float | None = None
) -> Conversion:
    """The classifier for a chip, through a compiler that foretells ``foretold``."""
    found = (foretold or figures()).model_dump(mode="json")
    worker = COMPILER.format(
        figures=repr(found), format_="onnx", dtype="float32", runtime="onnxruntime", options={}
    )
    write_converter(project, "compiler", FP32, emits="rknn", runtime="rknn", worker=worker)
    more = 'build_options = {accelerator = "chip-1"}'
    write_target(project, "chip", arch=CHIP, runtime="rknn", format_="rknn", precisions=("fp32",), more=more)
    return convert(
        Order(
            model=model,
            targets=("chip",),
            out=project / "out",
            calibration=model.parent / "photos",
            evaluation=model.parent / "labelled",
            threads=1,
            latency_ms=latency_ms,
        )
    )


def test_the_bundle_says_what_answered_and_what_is_foretold(project: Path, model: Path) -> None:
    (bundle,) = made(project, model).bundles
    manifest = read_bundle(bundle.path).manifest
    assert manifest.artifact.path == "artifact/model.bin"
    assert manifest.reference is not None
    assert manifest.reference.path == "artifact/reference.onnx"
    assert manifest.timing is None
    assert manifest.prediction is not None
    assert manifest.prediction.kind == "predicted"
    # the target's options came to the compiler, and its names are the source's
    assert (bundle.path / "artifact/model.bin").read_bytes() == b"commands for chip-1"
    assert manifest.prediction.operators == (OperatorCycles(name="conv", op="Conv", cycles=1_000_000),)
    assert manifest.prediction.cpu_operators[0].name == "conv"
    assert any("not verified is what the compiler made of it" in note for note in manifest.notes)
    assert "5.00 ms predicted by compiler 1 for chip-1 at 200 MHz" in bundle.reason
    assert bundle.facts()["latency_ms"] is None, "what is foretold is never called a latency that was taken"
    assert bundle.facts()["prediction"]["latency_ms"] == 5.0
    # the size is the device's: without the reference
    assert bundle.size_bytes == len(b"commands for chip-1")


def test_it_verifies_by_its_reference_and_says_so(project: Path, model: Path) -> None:
    (bundle,) = made(project, model).bundles
    found = verify_bundle(read_bundle(bundle.path), LocalDevice())
    assert found.ok
    (artifact,) = (check for check in found.checks if check.name == "artifact")
    assert "artifact/reference.onnx, what artifact/model.bin was compiled from" in artifact.detail
    assert "runs on chip alone" in artifact.detail


def test_it_is_profiled_as_predicted_and_nowhere_else(project: Path, model: Path) -> None:
    (kept_bundle,) = made(project, model).bundles
    bundle, catalog = read_bundle(kept_bundle.path), load_catalog()
    found = predicted(bundle, "predicted:chip", catalog)
    assert (found.kind, found.latency_ms, found.memory_bytes, found.cold_start_ms) == (
        "predicted",
        None,
        None,
        None,
    )
    assert found.prediction is not None
    assert [(item.name, item.ms) for item in found.operators] == [("conv", 5.0)]
    with pytest.raises(DeviceError, match=r"runs on chip alone.*--on predicted:chip"):
        profile(bundle, LocalDevice())
    with pytest.raises(DeviceError, match="was compiled for chip and runs nowhere else"):
        predicted(bundle, "predicted:raspberry-pi-4", catalog)


def test_predictions_are_a_gate_without_noise(project: Path, model: Path, tmp_path: Path) -> None:
    (bundle,) = made(project, model).bundles
    first = predicted(read_bundle(bundle.path), "predicted:chip", load_catalog())
    slower = first.model_copy(update={"prediction": figures(latency_ms=5.5, sram_bytes=100_000)})
    metrics = {metric.name: metric for metric in compare_measurements(first, slower).metrics}
    assert metrics["p50"].ratio == pytest.approx(1.1)
    assert metrics["p50"].ci_low == metrics["p50"].ci_high == metrics["p50"].ratio
    assert metrics["memory"].ratio == 1


def test_every_command_prints_it(project: Path, model: Path) -> None:
    (bundle,) = made(project, model).bundles
    said = run("profile", str(bundle.path), "--on", "predicted:chip", "-o", "times.json")
    assert "predicted by compiler 1 for chip-1 at 200 MHz: 5.00 ms (1,000,000 cycles)" in said
    assert "no such unit" in said
    run("report", str(bundle.path), "times.json", "-o", "report.html")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "predicted by compiler 1" in page
    assert "no such unit" in page
    assert '"kind": "predicted"' in run("why", str(bundle.path), "--source", str(model), "--json")


def run(*words: str) -> str:
    """What the command prints, its lines joined."""
    result = CliRunner().invoke(app, words, env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def test_what_does_not_fit_is_dropped_with_both_figures(project: Path, model: Path) -> None:
    huge = figures(sram_bytes=7_000_000_000)
    found = made(project, model, huge)
    assert not found.bundles
    (reason,) = reasons(found).values()
    assert "needs 6,835,938 KiB of SRAM, and an application on chip has 5,859,375 KiB" in reason


@pytest.mark.parametrize(
    ("memory", "fits"),
    [
        (TargetMemory(ram_bytes=140_000), True),
        (TargetMemory(ram_bytes=120_000), False),  # three quarters of it are the application's
        (TargetMemory(ram_bytes=140_000, flash_bytes=49_999), False),
        (TargetMemory(ram_bytes=1_000, sram_bytes=100_000), True),  # the NPU's own memory is not shared
        (TargetMemory(ram_bytes=1_000, sram_bytes=99_999), False),
    ],
)
def test_each_memory_is_held_to_its_size(memory: TargetMemory, fits: bool) -> None:
    target = load_catalog().target("ethos-u55-128").model_copy(update={"memory": memory})
    assert (memory_problem(figures(), target) is None) == fits


def test_nothing_foretold_is_no_problem() -> None:
    assert memory_problem(None, load_catalog().target("ethos-u55-128")) is None


def foretold(converter: str, ms: float, sqnr_db: float) -> Entrant:
    return replace(entrant(converter, "int8", None, sqnr_db=sqnr_db), prediction=figures(latency_ms=ms))


def test_a_quantized_source_is_compared_by_the_kernels_of_the_reference(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By XNNPACK some values come out one step apart, which no mere repacking may do."""
    int8 = Builder()
    int8.tensor("x", [1, 16, 16, 8], scale=0.02)
    product = int8.conv(0, "conv", 32, scale=0.013, zero_point=5)
    y = int8.tensor("y", [1, 16, 16, 32], scale=0.021, zero_point=-3)
    int8.op("ADD", [product, product], [y], schema.AddOptionsT())
    source = int8.write(tmp_path / "int8.tflite", [y])
    worker = COMPILER.format(
        figures=repr(figures().model_dump(mode="json")),
        format_="tflite",
        dtype="int8",
        runtime="litert",
        options={"kernels": "reference"},
    )
    quantized = 'precision = "int8"\nquantized_by = "source"\n'
    write_converter(
        project, "compiler", quantized, accepts="tflite", emits="rknn", runtime="rknn", worker=worker
    )
    more = 'build_options = {accelerator = "chip-1"}'
    write_target(project, "chip", arch=CHIP, runtime="rknn", format_="rknn", precisions=("int8",), more=more)
    (bundle,) = convert(Order(model=source, targets=("chip",), out=project / "out", threads=1)).bundles
    fidelity = bundle.manifest.fidelity
    assert fidelity is not None
    assert fidelity.sqnr_db == 200, "the same to the last bit"
    assert bundle.manifest.reference is not None
    assert bundle.manifest.reference.runtime_options == {"kernels": "reference"}
    assert "answers like int8" in run("verify", str(bundle.path), "--model", str(source))


def test_the_choice_goes_by_what_is_foretold() -> None:
    exact, fast = foretold("openvino", 10.0, 40), foretold("onnxruntime", 9.0, 30)
    assert kept(choose([exact, fast], ["int8"])) == fast.candidate.label
    as_fast = foretold("onnxruntime", 9.8, 30)
    chosen = choose([exact, as_fast], ["int8"])
    assert kept(chosen) == exact.candidate.label, "within the margin the more exact one stays"
    assert chosen.kept.timing is None
    assert "predicted by compiler 1" in chosen.reason
    assert "not predicted to be faster" in chosen.beaten[0][1]


def test_a_limit_of_latency_is_held_to_what_is_foretold(project: Path, model: Path) -> None:
    exact, fast = foretold("openvino", 10.0, 40), foretold("onnxruntime", 9.8, 30)
    chosen = choose([exact, fast], ["int8"], latency_ms=9.9)
    assert kept(chosen) == fast.candidate.label
    assert chosen.dropped[0][1] == "predicted to take 10.00 ms, more than the 9.9 ms asked for"
    found = made(project, model, latency_ms=4.0)
    assert not found.bundles
    assert "nothing keeps to 4 ms; the nearest, compiler fp32" in dict(found.without)["chip"]
    assert "5.00 ms predicted by compiler 1" in dict(found.without)["chip"]


def test_the_figures_in_words() -> None:
    one = CpuOperator(name="a", op="ODD", reason="no", macs=100, bytes_moved=64)
    assert figures(cpu_operators=[one]).says == (
        "predicted by compiler 1 for chip-1 at 200 MHz: 5.00 ms (1,000,000 cycles), SRAM 98 KiB, flash 49 KiB; "
        "90.0% of the MACs and 3 of 4 operators on the NPU"
    )
