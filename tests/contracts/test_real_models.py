"""Real models answer through their contracts what independent implementations answer."""

from __future__ import annotations

import re
import shutil
import unicodedata
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgekit.contracts import (
    Boxes,
    Image,
    LoadedContract,
    Prediction,
    Text,
    TextRegions,
    check_fit,
    load_contract,
)
from edgekit.data import accuracy, open_samples
from edgekit.data.images import read_image
from edgekit.models import load_model
from edgekit.models.zoo import entry, fetch_package, resolve

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images that scikit-image's wheel carries."""
    folder = tmp_path_factory.mktemp("photos")
    (package,) = [item for item in entry("ppocrv4-det").packages if item.name == "scikit-image"]
    with zipfile.ZipFile(fetch_package(package, folder, lambda *_: None)) as wheel:
        for name in ("astronaut.png", "coffee.png", "page.png"):
            (folder / name).write_bytes(wheel.read(f"skimage/data/{name}"))
    return folder


def read(path: Path) -> Image:
    return read_image(path)


@cache
def session_of(model: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    session = session_of(model)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))


def ask(model: Path, contract: LoadedContract, image: Image) -> Prediction:
    encoded = contract.encode(image)
    return contract.decode(run(model, encoded.tensors), encoded.meta)


def with_free_size(zoo_contract: Path, folder: Path) -> LoadedContract:
    """PP-OCR's own preparation: at most 960 pixels, whatever the shape."""
    shutil.copytree(zoo_contract.parent, folder, ignore=shutil.ignore_patterns("*.onnx", "calib", "eval"))
    path = folder / "contract.toml"
    text = path.read_text().replace("[640, 640]", "[960, 960]").replace('"letterbox"', '"limit-side"')
    path.write_text(text)
    return load_contract(path)


# rapidocr-onnxruntime 1.4.4: DetPreProcess(960, "max"), DBPostProcess(0.3, 0.5, 1000, 1.6), resize_norm_img and
# CTCLabelDecode, with OpenCV 4.14, on page.png enlarged three times (INTER_NEAREST): corners, score, text, its score
RAPIDOCR = [
    ([[21, 35], [877, 39], [877, 99], [20, 94]], 0.8519, "Region-based segmentation", 0.9571),
    ([[12, 140], [1133, 145], [1133, 196], [12, 191]], 0.636, "srd", 0.4441),
    ([[9, 190], [1134, 193], [1134, 256], [8, 252]], 0.5303, "bag", 0.5242),
    ([[12, 242], [1134, 250], [1134, 313], [12, 305]], 0.5314, "agu", 0.4967),
    ([[17, 344], [518, 366], [516, 417], [15, 396]], 0.6828, "histogram of grey values:", 0.9235),
    ([[51, 498], [726, 528], [723, 573], [48, 548]], 0.5654, "markersnp.zerosike（coins）", 0.8026),
]  # long lines are squeezed to 320 pixels, which nothing can read: the answer must be the same all the same


def test_text_detection_finds_what_rapidocr_finds(photos: Path, tmp_path: Path) -> None:
    model = resolve("ppocrv4-det")
    contract = with_free_size(model.with_name("contract.toml"), tmp_path / "det")
    page = cv2.resize(read(photos / "page.png"), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    found = ask(model, contract, page)
    assert isinstance(found, TextRegions)
    assert len(found.regions) == len(RAPIDOCR)
    for region, (corners, score, _, _) in zip(found.regions, RAPIDOCR, strict=True):
        # Clipper works in whole pixels of the map, and rapidocr rounds again on the page, 1.2 times as large
        np.testing.assert_allclose(region.corners, corners, atol=2.5)
        assert region.score == pytest.approx(score, abs=1e-3)


def test_text_recognition_reads_what_rapidocr_reads(photos: Path) -> None:
    model = resolve("ppocrv4-rec")
    contract = load_contract(model.with_name("contract.toml"))
    page = cv2.resize(read(photos / "page.png"), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    for corners, _, text, score in RAPIDOCR:
        (left, top), (right, bottom) = np.min(corners, 0), np.max(corners, 0)
        answer = ask(model, contract, page[top:bottom, left:right])
        assert isinstance(answer, Text)
        assert answer.text == text
        assert answer.score == pytest.approx(score, abs=1e-3)


def test_a_face_is_found_with_its_points(photos: Path) -> None:
    model = resolve("blazeface")
    astronaut = read(photos / "astronaut.png")
    found = ask(model, load_contract(model.with_name("contract.toml")), astronaut)
    assert isinstance(found, Boxes)
    (face,) = found.boxes
    assert face.score == pytest.approx(0.92, abs=0.01)
    # seen on the photo: the face spans 180..270 x 80..175, her right eye is at (205, 100), the left at (250, 108)
    assert (face.left, face.top, face.right, face.bottom) == pytest.approx((180, 81, 271, 174), abs=5)
    np.testing.assert_allclose(face.points[:2], [(205, 100), (250, 108)], atol=5)


def test_boxes_are_those_of_opencv_s_darknet_reader(photos: Path, tmp_path: Path) -> None:
    model = resolve("yolov3-tiny")
    shutil.copytree(model.parent, tmp_path / "yolo", ignore=shutil.ignore_patterns("*.onnx", "calib", "eval"))
    path = tmp_path / "yolo" / "contract.toml"
    path.write_text(path.read_text().replace('"letterbox"', '"stretch"'))
    square = cv2.resize(read(photos / "coffee.png"), (416, 416))
    found = ask(model, load_contract(path), square)
    assert isinstance(found, Boxes)
    (box,) = found.boxes
    # OpenCV 4.14's readNetFromDarknet on the same weights takes the saucer for a toilet, too: 0.4157 at
    # (109.71, -7.02, 299.96, 358.86); our boxes end at the edge of the image
    assert (box.label, round(box.score, 3)) == ("toilet", 0.416)
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((109.71, 0, 299.96, 358.86), abs=0.05)


def test_tokens_are_those_of_bert_s_longest_match_rule() -> None:
    contract = load_contract(resolve("minilm").with_name("contract.toml"))
    vocabulary = contract.tokenizer.get_vocab()
    texts = ["hello world", "Größe: 42 km/h!", "quantization-aware naïveté", "a" * 200, "深 ☃", ""]
    for text in texts:
        expected = [101, *word_pieces(text, vocabulary), 102]
        tensors = contract.encode(text).tensors
        assert tensors["input_ids"][0, : len(expected)].tolist() == expected
        assert not tensors["input_ids"][0, len(expected) :].any()
        assert tensors["attention_mask"].sum() == len(expected)
    assert contract.encode("hello world").tensors["input_ids"][0, :4].tolist() == [101, 7592, 2088, 102]


def word_pieces(text: str, vocabulary: dict[str, int]) -> list[int]:
    """BERT's uncased tokenizer for letters, digits and marks: accents off, split, longest pieces from the left."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    ids: list[int] = []
    for word in re.findall(r"[\u4e00-\u9fff]|[^\W_]+|[^\w\s]", plain):
        pieces: list[int] = []
        rest = word if len(word) <= 100 else ""
        while rest:
            prefix = "##" if pieces else ""
            length = next((n for n in range(len(rest), 0, -1) if prefix + rest[:n] in vocabulary), 0)
            if not length:
                break
            pieces.append(vocabulary[prefix + rest[:length]])
            rest = rest[length:]
        ids += pieces if pieces and not rest else [vocabulary["[UNK]"]]
    return ids


@pytest.mark.parametrize(
    "model_id", ["ppocrv4-rec", "yolov3-tiny", "minilm-sentiment", "blazeface", "ppocrv4-cls"]
)
def test_zoo_contracts_fit_their_models_and_data(model_id: str) -> None:
    path = resolve(model_id)
    contract = load_contract(path.with_name("contract.toml"))
    model = load_model(path)
    check_fit(contract, model.inputs, model.outputs)
    for name in ("calib", "eval"):
        samples = open_samples(path.with_name(name), contract, limit=3)
        assert len(samples) == 3
        assert all(contract.encode(sample.load()).tensors for sample in samples)


def test_labelled_lines_are_read_well() -> None:
    path = resolve("ppocrv4-rec")
    contract = load_contract(path.with_name("contract.toml"))
    samples = open_samples(path.with_name("eval"), contract, limit=16)
    answers = [ask(path, contract, np.asarray(sample.load(), np.uint8)) for sample in samples]
    metric, value = accuracy(contract, answers, samples.labels)
    assert metric == "character accuracy"
    assert value > 0.9  # drawn lines; some blanks are lost
