"""Text found by one bundle and read by another: cut out upright, long lines in pieces."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

import edgekit
from edgekit.camera.answering import open_bundle
from edgekit.camera.reading import cut_out, split
from edgekit.camera.replaying import replay
from edgekit.camera.second import SecondStage, open_second
from edgekit.camera.work import Work
from edgekit.contracts import Text, TextRegion, TextRegions
from edgekit.contracts.types import Image
from edgekit.data.images import read_image
from edgekit.errors import BundleError, CameraError
from edgekit.models.zoo.store import resolve
from tests.camera.conftest import zoo_bundle

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zoo_bundle("ppocrv4-det", tmp_path_factory.mktemp("finder"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zoo_bundle("ppocrv4-rec", tmp_path_factory.mktemp("reader"))


def reading(finder: Path, reader: Path) -> SecondStage:
    return SecondStage(open_second(open_bundle(finder, threads=1), reader, threads=1))


def printed(text: str, width: int = 260) -> Image:
    image = np.full((60, width, 3), 255, np.uint8)
    cv2.putText(image, text, (10, 42), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (0, 0, 0), 2, cv2.LINE_AA)
    return image


def around(corners: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> TextRegion:
    return TextRegion(tuple((float(x), float(y)) for x, y in corners), 0.9)


def test_a_page_is_read_line_by_line(finder: Path, reader: Path, tmp_path: Path) -> None:
    """A photograph of a printed page; four of its lines are three times as long as what the model takes."""
    photo = read_image(resolve("ppocrv4-det").parent / "eval/printed.png")
    cv2.imwrite(str(tmp_path / "page.png"), photo)
    (seen,) = edgekit.camera(finder, str(tmp_path), then=reader)
    assert isinstance(seen.prediction, TextRegions)
    lines = [region.text.text for region in seen.prediction.regions if region.text]
    assert lines[0] == "Region-based segmentation"
    # the model itself drops a space now and then
    assert lines[1].replace(" ", "") == "Letusfirstdeterminemarkersofthecoinsandthe"
    assert lines[3].replace(" ", "") == "unambiguouslyaseitherobjectorbackground.Here,"
    assert all(region.text and region.text.score > 0.9 for region in seen.prediction.regions)
    (line,) = replay(tmp_path, Work(bundle=finder, then=reader)).lines
    assert [region["text"] for region in json.loads(line)["regions"]] == lines


@pytest.mark.parametrize("degrees", [-20, 0, 15, -90])
def test_a_turned_line_is_read(degrees: int, finder: Path, reader: Path) -> None:
    """Corners in reading direction, as text detection gives them; standing on its end, where it cannot tell that."""
    sign = printed("STOP 42")
    height, width = sign.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += 200 - width / 2, 200 - height / 2
    image = np.asarray(cv2.warpAffine(sign, turn, (400, 400), borderValue=(255, 255, 255)), np.uint8)
    corners = (
        np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64) @ turn[:, :2].T + turn[:, 2]
    )
    if degrees == -90:  # downwards: the picture's top left is where the line ends below
        corners = np.roll(corners, 1, axis=0)
    found = reading(finder, reader).answer(image, TextRegions((around(corners),)))
    assert isinstance(found, TextRegions)
    assert found.regions[0].text
    assert found.regions[0].text.text.replace(" ", "") == "STOP42"


def test_a_region_without_area_stays_unread(finder: Path, reader: Path) -> None:
    empty = TextRegions((around(np.array([(5, 5), (5, 5), (5, 5), (5, 5)], np.float64)),))
    stage = reading(finder, reader)
    assert stage.answer(printed("x"), empty) == empty
    assert stage.facts() == {
        "bundle": str(reader),
        "task": "text-recognition",
        "most": None,
        "asked": 0,
        "left_out": 0,
    }


def test_a_region_is_cut_out_upright() -> None:
    sign = printed("x")
    height, width = sign.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    assert np.array_equal(cut_out(sign, around(corners)), sign)


def test_a_short_line_stays_whole() -> None:
    line = printed("short")
    assert split(line, line.shape[1] / line.shape[0]) == ([line], [])


def test_a_long_line_is_cut_between_words() -> None:
    line = printed("one two three four five six", 700)
    pieces, gaps = split(line, 4)
    assert len(pieces) == math.ceil(700 / 60 / 4)
    assert gaps == [" ", " "]
    assert np.array_equal(np.concatenate(pieces, axis=1), line)
    for piece in pieces[1:]:
        assert (piece[:, :3] == 255).all()  # no letter is cut through


def test_letters_without_a_gap_are_joined_again() -> None:
    line = printed("mmmmmmmmmmmmmmmmmmmmmmmmmmm", 700)
    assert split(line, 4)[1] == ["", ""]


def test_only_found_text_can_be_read(finder: Path, reader: Path, classifier: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "page.png"), printed("x"))
    with pytest.raises(
        CameraError, match=r"'image-classification' finds nothing for .*, which goes with: text-det"
    ):
        edgekit.camera(classifier, str(tmp_path), then=reader)
    with pytest.raises(
        BundleError, match="'text-detection'; one of text-recognition, pose-estimation is wanted"
    ):
        edgekit.camera(finder, str(tmp_path), then=finder)


def test_regions_of_text_are_not_enlarged(finder: Path, reader: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "page.png"), printed("x"))
    with pytest.raises(CameraError, match="a region of text is cut out as its corners say"):
        edgekit.camera(finder, str(tmp_path), then=reader, then_enlarge=2)


def test_what_was_read_is_said_with_its_score() -> None:
    region = TextRegion(((0, 0), (9, 0), (9, 4), (0, 4)), 0.9, Text("ab", 0.87654))
    assert region.facts() == {
        "corners": [[0, 0], [9, 0], [9, 4], [0, 4]],
        "score": 0.9,
        "text": "ab",
        "text_score": 0.877,
    }
