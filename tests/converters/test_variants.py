"""Each variant of each converter is a test by being in its converter.toml."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgekit.catalog_schema import Converter, Variant
from edgekit.conversion.environments import EnvironmentState
from edgekit.conversion.parity import fidelity, judge
from edgekit.conversion.protocol import ConversionRequest
from edgekit.conversion.weights import stored_weights
from edgekit.conversion.workers import run_worker
from edgekit.models import load_model, prepare_onnx
from tests.converters.steps import CONVERTERS, DATA, MODELS, Steps, load_converter, need_environment

GHOSTNET = Path(__file__).parents[2] / "examples" / "ghostnet" / "ghostnet.onnx"
FOLDERS = sorted(path.parent for path in CONVERTERS.glob("*/converter.toml"))


def cases() -> list[object]:
    """(converter, variant, model): text variants on BERT, vision ones on the CNN, the others on both."""
    return [
        pytest.param(
            converter,
            variant,
            model,
            id="-".join(filter(None, (converter.id, variant.precision, variant.name, model))),
            marks=[pytest.mark.network, pytest.mark.slow] if converter.environment.kind == "isolated" else [],
        )
        for converter in map(load_converter, (folder.name for folder in FOLDERS))
        if not converter.waits_for
        for variant in converter.variants
        for model in suited(variant)
    ]


def suited(variant: Variant) -> list[str]:
    if variant.quantized_by in (
        "edgekit",
        "source",
    ):  # static ranges do not hold an attention mask: test_silent_wrong.py
        return ["tiny_cnn"]
    return {"text": ["tiny_bert"], "vision": ["tiny_cnn"], "any": list(MODELS)}[variant.tasks]


@pytest.mark.parametrize(("converter", "variant", "model"), cases())
def test_variant(converter: Converter, variant: Variant, model: str, tmp_path: Path) -> None:
    need_environment(converter)
    steps = Steps(model, tmp_path)
    made = steps.convert(converter, variant)

    # loads in its own runtime, and answers as its precision must
    found = fidelity(steps.wanted, made.run(steps.inputs))
    weights = stored_weights(made.path, made.format)
    assert judge(found, variant.precision, weights=weights) is None

    # maps every input and output of the source
    assert [tensor["source"] for tensor in made.reply["io"]["inputs"]] == list(steps.inputs[0])
    assert [tensor["source"] for tensor in made.reply["io"]["outputs"]] == list(steps.wanted[0])
    assert made.reply["tools"]
    assert all(run["version"] for run in made.reply["tools"])

    # says nothing about this machine, and is the same when made again
    assert all(
        str(tmp_path).encode() not in (made.folder / name).read_bytes() for name in made.reply["files"]
    )
    if not {run["tool"] for run in made.reply["tools"]} & set(converter.nondeterministic):
        again = steps.convert(converter, variant, name="again")
        assert digests(again.folder, made.reply["files"]) == digests(made.folder, made.reply["files"])


def digests(folder: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_folder_is_complete(folder: Path) -> None:
    converter = load_converter(folder.name)
    assert converter.id == folder.name
    assert (folder / "README.md").is_file()
    assert (folder / "worker.py").is_file() != bool(converter.waits_for)
    if converter.environment.lock:
        lock = (folder / converter.environment.lock).read_text()
        assert "--hash=sha256:" in lock
        assert "://" not in lock  # an index belongs to the user's machine


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_operator_lists_are_sorted_and_named(folder: Path) -> None:
    operators = load_converter(folder.name).operators
    if operators.supported != "all":
        assert list(operators.supported) == sorted(set(operators.supported))
    assert any(character.isdigit() for character in operators.source)  # the tool's version


def test_a_machine_without_a_fitting_python_skips_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = EnvironmentState(ready=False, detail="needs Python 3.12", next_step="edgekit converters setup")
    monkeypatch.setattr("tests.converters.steps.environment_state", lambda *_: nowhere)
    with pytest.raises(pytest.skip.Exception, match=r"needs Python 3\.12; try: edgekit converters setup"):
        need_environment(load_converter("onnx2tf"))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_openvino_names_the_node_that_makes_an_output(precision: str, tmp_path: Path) -> None:
    """It calls that operator by the name of the tensor; of a quantized graph the node before the rounding counts."""
    steps, openvino = Steps("tiny_cnn", tmp_path), load_converter("openvino")
    variant = next(
        item
        for item in openvino.variants
        if item.precision == precision and item.quantized_by in ("none", "edgekit")
    )
    assert steps.convert(openvino, variant).reply.get("source_nodes") == {"y": "softmax"}


@pytest.mark.network
@pytest.mark.slow
def test_every_operator_of_a_tflite_file_has_a_node_of_the_source(tmp_path: Path) -> None:
    """onnx2tf names tensors after nodes and layouts, and its own report leaves half of them out."""
    source = prepare_onnx(load_model(GHOSTNET), tmp_path / "ghostnet.onnx")
    onnx2tf, out = load_converter("onnx2tf"), tmp_path / "out"
    need_environment(onnx2tf)
    out.mkdir()
    request: ConversionRequest = {
        "source": str(source),
        "io": None,
        "out_dir": str(out),
        "precision": "fp32",
        "options": {},
        "calibration": None,
        "task": "image-classification",
        "threads": 2,
    }
    found = run_worker(onnx2tf, CONVERTERS / "onnx2tf", request, log=tmp_path / "log").get("source_nodes", {})
    model = Interpreter(str(out / "model.tflite"))
    tensors = {detail["index"]: detail["name"] for detail in model.get_tensor_details()}
    nodes = {node.name for node in onnx.load(source).graph.node}
    inserted = " (layout change by onnx2tf)"
    for operator in model._get_ops_details():
        assert found[tensors[operator["outputs"][0]]].removesuffix(inserted) in nodes
    assert any(name.endswith(inserted) for name in found.values())
    assert found["/features/features.9/Conv_output_nhwc"] == "/features/features.9/Conv"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_tflite_fixtures_are_what_onnx2tf_makes(model: str, tmp_path: Path) -> None:
    onnx2tf = load_converter("onnx2tf")
    need_environment(onnx2tf)
    steps = Steps(model, tmp_path)
    made = steps.convert(onnx2tf, onnx2tf.variants[0])
    assert made.path.read_bytes() == (DATA / f"{model}.tflite").read_bytes()
