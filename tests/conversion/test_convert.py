"""The whole way of a small real model, with the real tools, to bundles that verify."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.bundles import read_bundle
from edgekit.bundles.golden import TOLERANCE
from edgekit.bundles.verify import verify_bundle
from edgekit.conversion.convert import Order, convert
from edgekit.conversion.plan import PRECISIONS
from edgekit.conversion.weights import narrow_elements, stored_weights
from edgekit.devices import LocalDevice
from edgekit.errors import BundleError, ContractError, ConversionError, DataError, ModelError
from tests.conversion.bad_workers import CRASHES, GOOD, SLOW, UNFOLDS, UNLOADABLE, WRONG
from tests.conversion.project import ELSEWHERE, FP32, INT8, only, reasons, write_converter, write_target
from tests.conversion.stripes import write_sampled_classifier
from tests.graphs import Graph, floats, renamed, tiny_cnn

ABSENT = Path("no-such")
TFLITE = Path(__file__).parents[1] / "converters" / "data" / "tiny_cnn.tflite"
Change = Callable[[Order], Order]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier, beside data that are not used by themselves."""
    return write_sampled_classifier(tmp_path_factory.mktemp("stripes"))


@pytest.fixture
def order(project: Path, model: Path) -> Order:
    """For a board that runs here, with onnxruntime alone."""
    write_target(project, "board")
    return Order(
        model=model,
        targets=("board",),
        out=project / "out",
        calibration=model.parent / "photos",
        evaluation=model.parent / "labelled",
        threads=1,
    )


@pytest.fixture
def quick(order: Order, project: Path) -> Order:
    """For a board elsewhere, which needs no timing, and fp32 alone."""
    write_target(project, "far", arch=ELSEWHERE)
    return replace(order, targets=("far",), precisions=("fp32",))


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_bundle_carries_its_evidence_and_verifies(order: Order) -> None:
    found = convert(order)
    (kept,) = found.bundles
    assert kept.path == order.out / "stripes-board.edgekit"
    manifest = read_bundle(kept.path).manifest
    assert manifest.timing is not None
    assert manifest.timing.ratio_ci_low <= 1
    assert manifest.accuracy is not None
    assert manifest.accuracy.samples == 40
    assert manifest.fidelity is not None
    assert manifest.fidelity.samples == 40
    assert verify_bundle(read_bundle(kept.path), LocalDevice()).ok
    assert [path.name for path in order.out.iterdir()] == [kept.path.name]


def test_a_second_run_reuses_every_step(quick: Order) -> None:
    wanted = replace(quick, precisions=PRECISIONS)
    first, second = convert(wanted), convert(wanted)
    assert first.made_steps > 0
    assert (first.reused_steps, second.made_steps) == (0, 0)
    assert second.reused_steps == first.made_steps


def test_the_same_inputs_give_the_same_bytes(
    quick: Order, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made twice from nothing, for a board that cannot be timed here: times are all that may differ."""
    for out in ("a", "b"):
        monkeypatch.setenv("EDGEKIT_CACHE", str(project / f"cache-{out}"))
        found = convert(replace(quick, precisions=PRECISIONS, out=project / out))
        assert found.reused_steps == 0
    assert found.bundles[0].manifest.artifact.precision == "int8"
    assert files(project / "a") == files(project / "b")


def test_a_board_that_is_not_here_gets_no_times(quick: Order) -> None:
    (kept,) = convert(quick).bundles
    assert kept.manifest.timing is None
    assert any("not timed" in note for note in kept.manifest.notes)
    assert any(f"not verified on {ELSEWHERE}" in note for note in kept.manifest.notes)
    with pytest.raises(ConversionError, match="--latency cannot be checked for far"):
        convert(replace(quick, latency_ms=10))


def test_slow_wrong_and_crashing_candidates_are_dropped_with_their_reasons(
    order: Order, project: Path
) -> None:
    """Each tool but the one that crashed said it had succeeded."""
    for name, code in {"slow": SLOW, "wrong": WRONG, "crashes": CRASHES, "broken": UNLOADABLE}.items():
        write_converter(project, name, INT8, worker=code)
    found = convert(order)
    why = reasons(found)
    assert "slow" in why["slow int8"] or "takes" in why["slow int8"]
    assert "SQNR" in why["wrong int8"]
    assert "crashed (SIGSEGV)" in why["crashes int8"]
    assert "its artifact does not run as it should" in why["broken int8"]
    assert "onnxruntime does not open model.onnx" in why["broken int8"]
    assert found.bundles[0].manifest.converter == "onnxruntime"
    named = {
        item.converter for item in (*found.bundles[0].manifest.dropped, *found.bundles[0].manifest.candidates)
    }
    assert {"slow", "wrong", "crashes", "broken"} <= named


def test_who_does_not_answer_as_it_did_is_not_timed(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where more threads change an answer: here nothing at all is allowed to int8's golden pair."""
    monkeypatch.setitem(TOLERANCE, "int8", -1.0)
    found = convert(order, catalog=only("onnxruntime"))
    assert found.bundles[0].manifest.artifact.precision == "fp32"
    assert "with threads = 1 its artifact does not run as it should" in reasons(found)["onnxruntime int8"]
    assert "the golden pair does not reproduce here" in reasons(found)["onnxruntime int8"]


def test_where_only_fp32_holds_it_comes_back_with_the_reason(order: Order, project: Path) -> None:
    write_converter(project, "good", FP32, worker=GOOD)
    write_converter(project, "slow", INT8, worker=SLOW)
    write_converter(project, "wrong", INT8, worker=WRONG)
    found = convert(replace(order, precisions=("int8",)), catalog=only("good", "slow", "wrong"))
    assert found.bundles[0].manifest.artifact.precision == "fp32"
    assert "slower than the source model" in reasons(found)["slow int8"]
    assert "SQNR" in reasons(found)["wrong int8"]


def test_where_nothing_holds_the_target_gets_none(order: Order, project: Path) -> None:
    write_converter(project, "wrong", FP32, worker=WRONG)
    found = convert(order, catalog=only("wrong"))
    assert found.bundles == ()
    ((target, why),) = found.without
    assert target == "board"
    assert "fp32 needs" in why
    assert list(order.out.iterdir()) == []


def test_without_data_random_inputs_are_used_and_int8_refused(quick: Order) -> None:
    found = convert(replace(quick, precisions=PRECISIONS, calibration=None, evaluation=None))
    assert "--calib" in reasons(found)["onnxruntime int8"]
    manifest = found.bundles[0].manifest
    assert manifest.artifact.precision == "fp32"
    assert manifest.fidelity is not None
    assert "random inputs" in manifest.fidelity.data
    assert manifest.accuracy is None


def test_calibration_data_serve_to_compare_and_that_is_said(quick: Order) -> None:
    found = convert(replace(quick, evaluation=None))
    assert found.bundles[0].manifest.fidelity is not None
    assert found.bundles[0].manifest.fidelity.data == "photos: 16 samples, the calibration data"


def test_data_beside_the_model_are_used_and_that_is_said(quick: Order, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model.parent / "photos", folder / "calib")
    shutil.copytree(model.parent / "labelled", folder / "eval")
    for name in ("stripes.onnx", "contract.toml", "labels.txt"):
        shutil.copy(model.parent / name, folder)
    beside = replace(quick, model=folder / "stripes.onnx", calibration=None, evaluation=None)
    found = convert(replace(beside, precisions=PRECISIONS))
    assert found.bundles[0].manifest.artifact.precision == "int8"
    assert found.notes[:2] == (
        "calibrated on 16 samples of calib/ beside the model",
        "compared on eval: 40 labelled samples",
    )


def test_a_zip_takes_the_place_of_a_folder_and_back(quick: Order) -> None:
    for zipped in (False, True, False):
        (kept,) = convert(replace(quick, zipped=zipped)).bundles
        assert kept.path.is_file() == zipped
        assert [path.name for path in quick.out.iterdir()] == [kept.path.name]
        if zipped:
            assert verify_bundle(read_bundle(kept.path), LocalDevice()).ok


def test_an_output_folder_that_is_a_file_is_called_one(quick: Order) -> None:
    quick.out.write_text("notes")
    with pytest.raises(BundleError, match=r"out: is a file, not a folder\. Choose another -o"):
        convert(quick)
    assert quick.out.read_text() == "notes"


def test_what_is_no_bundle_is_not_replaced_unless_forced(quick: Order) -> None:
    place = quick.out / "stripes-far.edgekit"
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("ten years of work")
    with pytest.raises(BundleError, match="stands in the way"):
        convert(quick)
    assert (place / "thesis.txt").exists()
    convert(replace(quick, force=True))
    assert not (place / "thesis.txt").exists()


def test_free_sizes_are_taken_from_the_contract(quick: Order, model: Path, tmp_path: Path) -> None:
    proto = onnx.load(model)
    for place, side in enumerate(("N", "C", "H", "W")):
        if side != "C":
            proto.graph.input[0].type.tensor_type.shape.dim[place].dim_param = side
    onnx.save(proto, tmp_path / "free.onnx")
    free = replace(quick, model=tmp_path / "free.onnx", contract=model.parent / "contract.toml")
    (kept,) = convert(free).bundles
    assert kept.manifest.model.shapes == {"x": (1, 3, 64, 64)}


def test_a_model_without_contract_is_compared_as_numbers(quick: Order, tmp_path: Path) -> None:
    onnx.save(tiny_cnn(), tmp_path / "cnn.onnx")
    plain = replace(quick, model=tmp_path / "cnn.onnx", calibration=None, evaluation=None)
    (kept,) = convert(plain).bundles
    assert kept.manifest.task == "tensor"
    assert verify_bundle(read_bundle(kept.path), LocalDevice()).ok


def test_a_tflite_model_may_be_named_by_a_relative_path(quick: Order, project: Path) -> None:
    """Workers run in a folder of their own and are promised absolute paths."""
    write_target(project, "litert", arch=ELSEWHERE, runtime="litert", format_="tflite", precisions=("fp32",))
    shutil.copyfile(TFLITE, project / "tiny.tflite")
    order = replace(quick, model=Path("tiny.tflite"), targets=("litert",), calibration=None, evaluation=None)
    (kept,) = convert(order).bundles
    assert kept.manifest.artifact.format == "tflite"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda order: replace(order, calibration=ABSENT), DataError, "no-such: no such file or folder"),
        (lambda order: replace(order, evaluation=ABSENT), DataError, "no-such: no such file or folder"),
        (lambda order: replace(order, model=ABSENT), ModelError, "no-such"),
        (lambda order: replace(order, contract=ABSENT), ContractError, "no-such"),
        (lambda order: replace(order, out=Path("/dev/null/out")), BundleError, "Choose another -o"),
    ],
    ids=["calibration", "evaluation", "model", "contract", "out"],
)
def test_what_is_not_there_is_named_before_anything_is_written(
    order: Order, change: Change, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        convert(change(order))
    assert not order.out.exists()


@pytest.mark.parametrize("which", ["calibration", "evaluation"])
def test_unreadable_images_are_named(order: Order, which: str, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "spoiled"
    shutil.copytree(model.parent / "photos", folder)
    (folder / "000.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"000\.png"):
        convert(
            replace(order, calibration=folder)
            if which == "calibration"
            else replace(order, evaluation=folder)
        )
    assert not order.out.exists()


def test_a_contract_of_another_model_is_refused(order: Order, model: Path, tmp_path: Path) -> None:
    text = (model.parent / "contract.toml").read_text()
    (tmp_path / "contract.toml").write_text(text.replace('name = "x"', 'name = "image"'))
    shutil.copy(model.parent / "labels.txt", tmp_path)
    with pytest.raises(ContractError, match="the contract does not fit the model"):
        convert(replace(order, contract=tmp_path / "contract.toml"))


def test_a_target_for_which_nothing_can_be_built_says_why(order: Order, project: Path) -> None:
    write_target(project, "npu", more='status = "waiting"\nwaits_for = "its compiler"')
    with pytest.raises(ConversionError, match="nothing can be built for onnxruntime yet: its compiler"):
        convert(replace(order, targets=("npu",)))


def test_an_app_with_a_minimal_runtime_gets_the_ort_format(order: Order) -> None:
    """Static int8, read off the .ort itself: a file whose weights were not quantized would have been dropped."""
    found = convert(replace(order, targets=("android-ort",)))
    (kept,) = found.bundles
    artifact = kept.manifest.artifact
    assert (artifact.format, artifact.precision, kept.manifest.variant) == ("ort", "int8", "ort")
    stored = stored_weights(kept.path / artifact.path, "ort")
    assert stored is not None
    # the classifier's convolutions and its dense layer
    assert narrow_elements(stored) > 0.9 * sum(stored.values())
    assert any(step.tool == "onnxruntime, ORT format" for step in kept.manifest.steps)
    assert verify_bundle(read_bundle(kept.path), LocalDevice()).ok


def test_a_quantized_model_that_was_unfolded_is_not_handed_out(
    order: Order, project: Path, tmp_path: Path
) -> None:
    """Weights stored as int8 and cast to float: an optimizer computes the cast, and the file is four times as big."""
    graph = Graph(3)
    weight = graph.rng.integers(-127, 128, (64, 64)).astype(np.int8)
    wide = graph.node("Cast", [graph.constant("w8", weight)], "cast", to=onnx.TensorProto.FLOAT)
    scaled = graph.node("Mul", [wide, graph.constant("scale", np.float32(0.01))], "scaled")
    renamed(graph, graph.node("MatMul", ["x", scaled], "matmul"), "y")
    onnx.save(graph.model([floats("x", 1, 64)], [floats("y", 1, 64)]), tmp_path / "narrow.onnx")
    write_converter(project, "unfolds", FP32, worker=UNFOLDS)
    write_converter(project, "keeps", FP32, worker=GOOD)
    quantized = replace(order, model=tmp_path / "narrow.onnx", calibration=None, evaluation=None)
    found = convert(quantized, catalog=only("unfolds", "keeps"))
    assert "unfolded to float" in reasons(found)["unfolds fp32"]
    (kept,) = found.bundles
    assert kept.manifest.converter == "keeps"
    assert kept.manifest.artifact.precision == "int8"
