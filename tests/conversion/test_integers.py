"""What a bundle says of its int8 answers on a device, and that candidates are compared with the device's arithmetic."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from edgekit.catalog import load_catalog
from edgekit.catalog_schema import Target, TargetRuntime
from edgekit.contracts import LoadedContract
from edgekit.conversion import integers
from edgekit.conversion.answers import Answers, Inputs, ask
from edgekit.conversion.convert import Order, convert
from edgekit.conversion.integers import (
    FLOAT_KERNELS,
    Int8Artifact,
    comparing_options,
    device_options,
    int8_note,
    rounding_operators,
)
from edgekit.devices import Device
from edgekit.host import detect
from edgekit.models import Model, load_model
from edgekit.vocabulary import ArtifactFormat, IsaFeature, Precision, RuntimeId
from tests.conversion.project import write_target
from tests.conversion.stripes import write_classifier, write_images
from tests.converters.steps import DATA, Steps, load_converter
from tests.graphs import Graph, floats, renamed, samples, tiny_bert, tiny_cnn, write_samples

AVX2: tuple[IsaFeature, ...] = ("avx2", "fma")
VNNI: tuple[IsaFeature, ...] = ("avx2", "fma", "avx-vnni")
OPTION = {"session.x64quantprecision": "1"}


def build_host(monkeypatch: pytest.MonkeyPatch, *features: IsaFeature) -> None:
    """Let the build host be an x86 with ``features``."""
    machine = replace(detect(), arch="x86_64", isa_features=features)
    monkeypatch.setattr(integers, "_machine", lambda: machine)


def board(arch: str, *features: IsaFeature) -> Target:
    target = load_catalog().target("raspberry-pi-4")
    return target.model_copy(update={"id": "board", "arch": arch, "isa_features": features})


def runtime(name: RuntimeId = "onnxruntime", **facts: object) -> TargetRuntime:
    return TargetRuntime.model_validate({"id": name, "formats": ("onnx",), "precisions": ("int8",), **facts})


def loaded(model: onnx.ModelProto, folder: Path) -> Model:
    onnx.save(model, folder / "model.onnx")
    return load_model(folder / "model.onnx")


def artifact(
    path: Path, format_: ArtifactFormat = "onnx", precision: Precision = "int8", *, wide: bool = True
) -> Int8Artifact:
    return Int8Artifact(path=path, format=format_, precision=precision, wide_weights=wide, version="1.2")


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Steps:
    return Steps("tiny_cnn", tmp_path_factory.mktemp("steps") / "cnn")


@pytest.fixture(scope="module")
def qdq(steps: Steps) -> Path:
    return steps.qdq()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions and nothing that computes in float."""
    folder = tmp_path_factory.mktemp("plain")
    graph = Graph(3)
    x = graph.node("Conv", ["x", graph.weight("w1", (8, 3, 3, 3), 0.3)], "conv1", pads=[1] * 4)
    x = graph.node("Relu", [x], "relu")
    renamed(graph, graph.node("Conv", [x, graph.weight("w2", (4, 8, 1, 1), 0.3)], "conv2"), "y")
    model = graph.model([floats("x", 1, 3, 8, 8)], [floats("y", 1, 4, 8, 8)])
    steps = Steps("tiny_cnn", folder / "steps")
    onnx.save(model, steps.onnx)
    write_samples(samples(model, 4), folder / "calibration")
    steps.calibration = folder / "calibration"
    return steps.qdq()


@pytest.fixture(scope="module")
def quantized_tflite(steps: Steps) -> Path:
    converter = load_converter("litert")
    (variant,) = (item for item in converter.variants if item.precision == "int8" and not item.name)
    return steps.convert(converter, variant, "tflite").path


def test_operators_that_round_in_float_are_counted(qdq: Path, plain: Path, quantized_tflite: Path) -> None:
    assert rounding_operators(qdq, "onnx") == {"Add": 1, "Softmax": 1}
    assert rounding_operators(plain, "onnx") == {}
    assert rounding_operators(DATA / "tiny_cnn.tflite", "tflite"), "a float model computes in float"
    assert rounding_operators(quantized_tflite, "tflite") == {}
    assert rounding_operators(qdq, "ort") is None


@pytest.mark.parametrize(
    ("name", "facts", "precision", "words"),
    [
        (
            "onnxruntime",
            {},
            "int8",
            "answers on the device are bit for bit those of this machine, with onnxruntime 1.2",
        ),
        ("onnxruntime", {"int8_activations": "int8"}, "int8", "differ from this machine's by rounding"),
        ("onnxruntime", {}, "int8-dynamic", "the scales are computed in float"),
        ("openvino", {}, "int8", "differ from this machine's by rounding"),
        ("tflite-runtime", {}, "int8", "differ from this machine's by rounding"),
        ("rknn", {}, "int8", "nothing is foretold"),
    ],
)
def test_what_an_arm_board_answers(
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: RuntimeId,
    facts: Mapping[str, object],
    precision: Precision,
    words: str,
) -> None:
    build_host(monkeypatch, *VNNI)
    note = int8_note(
        board("aarch64", "neon"), runtime(name, **facts), artifact(plain, precision=precision), is_host=False
    )
    assert note is not None
    assert note.startswith("int8 on board: ")
    assert words in note


def test_sums_that_round_are_named(qdq: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_host(monkeypatch, *VNNI)
    note = int8_note(board("aarch64", "neon"), runtime(), artifact(qdq), is_host=False)
    assert "convolutions and matrix products on the device are bit for bit" in str(note)
    assert "round the other way in 1 Add, 1 Softmax" in str(note)


def test_float_artifacts_and_exact_hosts_need_no_word(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_host(monkeypatch, *VNNI)
    target = board("x86_64", *VNNI)
    assert int8_note(target, runtime(), artifact(plain, precision="fp32"), is_host=False) is None
    assert int8_note(target, runtime(), artifact(plain), is_host=True) is None


def test_a_saturating_device(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_host(monkeypatch, *VNNI)
    target = board("x86_64", *AVX2)
    narrow = int8_note(target, runtime(int8_weight_bits=7), artifact(plain, wide=False), is_host=False)
    assert "weights of 7 bits keep them exact; answers on the device are bit for bit" in str(narrow)
    given = int8_note(target, runtime(int8_weight_bits=7), artifact(plain), is_host=True)
    assert "run it with session.x64quantprecision=1" in str(given)
    vino = int8_note(target, runtime("openvino", int8_weight_bits=7), artifact(plain), is_host=True)
    assert "answers may be wrong" in str(vino)


def test_a_saturating_build_host(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_host(monkeypatch, *AVX2)
    arm = board("aarch64", "neon")
    note = int8_note(arm, runtime(), artifact(plain), is_host=False)
    assert "the build host saturates, the device does not: compared here with exact sums" in str(note)
    unread = int8_note(arm, runtime(), artifact(plain, "ort"), is_host=False)
    assert "it answers better than the figures here say" in str(unread)
    assert comparing_options(arm, runtime(), "int8") == OPTION
    assert comparing_options(arm, runtime(), "fp32") == {}
    assert comparing_options(arm, runtime("litert"), "int8") == {}, "LiteRT is exact everywhere"
    assert comparing_options(board("x86_64", *AVX2), runtime(), "int8") == {}, (
        "its 7-bit weights do not saturate"
    )
    build_host(monkeypatch, *VNNI)
    assert comparing_options(arm, runtime(), "int8") == {}, "the option would only slow it down"


@pytest.mark.parametrize(
    ("arch", "name", "precision", "expected"),
    [
        ("aarch64", "openvino", "int8", FLOAT_KERNELS),
        ("aarch64", "openvino", "fp32", {}),
        ("aarch64", "litert", "int8", {}),
        ("x86_64", "openvino", "int8", {}),
    ],
)
def test_openvino_computes_quantized_convolutions_in_float_on_arm(
    tmp_path: Path, arch: str, name: RuntimeId, precision: Precision, expected: Mapping[str, str]
) -> None:
    assert device_options(board(arch), runtime(name), precision, loaded(tiny_cnn(), tmp_path)) == expected


def test_a_bundle_computed_in_float_says_so(plain: Path) -> None:
    made = replace(artifact(plain, "openvino-ir"), in_float=True)
    note = int8_note(board("aarch64", "neon"), runtime("openvino"), made, is_host=False)
    assert note is not None
    assert "computed in float on the quantized values, here and there (LP_TRANSFORMS_MODE=NO)" in note


def test_openvino_keeps_its_integer_kernels_on_arm_where_nothing_convolves(tmp_path: Path) -> None:
    """They answer rightly there: MiniLM in tests/emulation."""
    model = loaded(tiny_bert(), tmp_path)
    assert device_options(board("aarch64"), runtime("openvino"), "int8", model) == {}


def test_convert_compares_with_the_sums_of_the_device(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_host(monkeypatch, *AVX2)
    seen: list[Mapping[str, str]] = []

    def watched(
        bundle: Path, inputs: Inputs, contract: LoadedContract, device: Device, *, threads: int
    ) -> Answers:
        seen.append(json.loads((bundle / "manifest.json").read_text())["artifact"]["runtime_options"])
        return ask(bundle, inputs, contract, device, threads=threads)

    monkeypatch.setattr("edgekit.conversion.trial.ask", watched)
    order = an_order(project, arch="aarch64")
    found = convert(order)
    (kept,) = found.bundles
    assert seen == [{}, {}, OPTION], "the source, fp32, int8"
    assert kept.manifest.artifact.precision == "int8"
    assert kept.manifest.artifact.runtime_options == {}, "the device does not need it"
    assert any("compared here with exact sums" in note for note in kept.manifest.notes)
    assert any("compared here with exact sums" in note for note in found.notes)


def test_a_quantized_source_keeps_its_weights_and_asks_for_exact_sums(
    project: Path, monkeypatch: pytest.MonkeyPatch, qdq: Path
) -> None:
    order = an_order(project, arch="x86_64", model=qdq)
    (kept,) = convert(order).bundles
    assert kept.manifest.artifact.runtime_options == OPTION
    assert 'options.add_session_config_entry("session.x64quantprecision", "1")' in (
        (kept.path / "README.txt").read_text()
    )


def an_order(project: Path, *, arch: str, model: Path | None = None) -> Order:
    """For a board without any of this machine's features, with onnxruntime alone."""
    write_target(project, "board", arch=arch)
    path = project / "targets" / "board.toml"
    bits = 7 if arch == "x86_64" else 8
    text = re.sub("isa_features = .*", "isa_features = []", path.read_text())
    path.write_text(re.sub("int8_weight_bits = .", f"int8_weight_bits = {bits}", text))
    data = project / "stripes"
    write_images(data / "photos", 8, seed=5, labelled=False)
    return Order(
        model=model or write_classifier(data, width=16),
        targets=("board",),
        out=project / "out",
        calibration=None if model else data / "photos",
        precisions=("fp32", "int8"),
        threads=1,
    )
