"""A bundle that gives masks, on the camera: its answers, the picture, the replay, and people covered by pixels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edgekit
from edgekit.camera.mask_covering import MARGIN, MaskMemory, covered_pixels
from edgekit.camera.pipeline import Result
from edgekit.contracts import Mask, load_contract
from edgekit.data import open_samples
from edgekit.models.zoo.store import resolve
from tests.camera.bundles import bundle_of
from tests.camera.making import write_clip
from tests.camera.test_command import camera, events, frames
from tests.conversion.red import SIZE, scene, truth, write_model


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("red")
    return bundle_of(write_model(folder), folder / "red.edgekit", scene(0))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for index in range(8):
        cv2.imwrite(str(folder / f"{index}.png"), scene(index))
    return folder


def seen(bundle: Path, source: Path, **options: Any) -> list[Result]:
    function: Any = edgekit.camera
    return list(function(bundle, source, **options))


def test_the_mask_is_where_the_person_is(bundle: Path, photos: Path) -> None:
    results = seen(bundle, photos)
    assert len(results) == 8
    for index, result in enumerate(results):
        assert isinstance(result.prediction, Mask)
        found = result.prediction.indices == 1
        # two pixels of the picture are one of the map
        assert np.count_nonzero(found ^ truth(index)) / np.count_nonzero(truth(index)) < 0.06
        assert result.prediction.shares == {1: found.mean()}


def test_events_the_video_and_the_replay(bundle: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.avi", [scene(index) for index in range(6)])
    words = ("run", bundle, "--source", "clip.avi", "--events", "run.jsonl", "--out", "shown.avi")
    done = camera(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = events(tmp_path / "run.jsonl")
    for index, line in enumerate(lines):
        (segment,) = line["segments"]
        assert (segment["label"], segment["size"]) == ("person", [120, 160])
        assert segment["share"] == pytest.approx(truth(index).mean(), abs=0.01)
    plain, shown = frames(tmp_path / "clip.avi"), frames(tmp_path / "shown.avi")
    for index, (before, after) in enumerate(zip(plain, shown, strict=True)):
        person = cv2.erode(truth(index).astype(np.uint8), np.ones((9, 9))) > 0
        person[:40] = False  # the share stands there
        half = before[person] / 2 + np.array((52, 168, 83)) / 2
        # what Motion JPEG loses of colours
        assert np.abs(after[person] - half).mean() < 8
    done = camera("replay", "clip.avi", "--bundle", bundle, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clip.jsonl").read_bytes() == (tmp_path / "run.jsonl").read_bytes()
    done = camera("replay", "clip.avi", "--bundle", bundle, "--expect", "clip.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    changed = (tmp_path / "clip.jsonl").read_text().replace('"share":0.', '"share":1.', 1)
    (tmp_path / "clip.jsonl").write_text(changed)
    done = camera("replay", "clip.avi", "--bundle", bundle, "--expect", "clip.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert "frame 0: segments[0].share: 0." in done.stderr


@pytest.mark.parametrize("words", [("--track",), ("--scene", "scene.toml")])
def test_a_mask_is_nothing_to_follow(
    bundle: Path, photos: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "scene.toml").write_text('[[lines]]\nname = "door"\npoints = [[0, 0], [1, 1]]\n')
    done = camera("run", bundle, "--source", photos, *words, cwd=tmp_path)
    assert done.returncode == 1
    assert "task 'semantic-segmentation' finds nothing to follow; --track and --scene take: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- covering ------------------------------------------------------------------------------------------------


def test_the_persons_pixels_are_covered_and_the_rest_is_not(bundle: Path, photos: Path) -> None:
    results = seen(bundle, photos, redact="people")
    reach = round(MARGIN * SIZE[1]) + 2  # and a pixel of the map
    before = np.zeros((SIZE[1], SIZE[0]), bool)
    for index, result in enumerate(results):
        person = truth(index)
        filled = (result.frame.image == 96).all(axis=2)
        assert filled[person].all()
        # where somebody was on the frames before is covered still
        before |= person
        around = cv2.dilate(before.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1))) > 0
        np.testing.assert_array_equal(result.frame.image[~around], scene(index)[~around])
        assert isinstance(result.prediction, Mask)


@pytest.mark.network
def test_people_measured_by_hand_are_covered(selfie: Path, tmp_path: Path) -> None:
    """Nearly all of the pixels within their outlines, and little around them: the margin, and half of the threshold."""
    folder = resolve("selfie-segmentation").parent
    people = visible = around = covered = 0
    for sample in open_samples(folder / "eval", load_contract(folder / "contract.toml")):
        if not sample.id.startswith(("astronaut", "camera")):
            continue
        path = tmp_path / sample.id
        shutil.copyfile(folder / "eval" / sample.id, path)
        (result,) = seen(selfie, path, redact="people")
        assert isinstance(sample.label, Mask)
        filled, indices = (result.frame.image == 96).all(axis=2), sample.label.indices
        people += int(np.count_nonzero(indices == 1))
        visible += int(np.count_nonzero((indices == 1) & ~filled))
        around += int(np.count_nonzero(indices == 0))
        covered += int(np.count_nonzero((indices == 0) & filled))
    # .0003 and .08 are what fp32 has
    assert visible / people < 0.001
    assert covered / around < 0.15


def test_another_bundle_finds_the_people(
    classifier: Path, bundle: Path, photos: Path, tmp_path: Path
) -> None:
    words = ("run", classifier, "--source", photos, "--out", "covered.avi", "--json")
    done = camera(*words, "--redact", "people", "--redact-with", bundle, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["redaction"] == {"kinds": ["people"], "covered": 8, "held": 0}
    for index, shown in enumerate(frames(tmp_path / "covered.avi")[:8]):
        inner = cv2.erode(truth(index).astype(np.uint8), np.ones((9, 9))) > 0
        inner[:60, :130] = False  # the classes stand there
        assert np.abs(shown[inner].astype(int) - 96).mean() < 6


def test_a_bundle_without_faces_covers_none(bundle: Path, photos: Path, tmp_path: Path) -> None:
    done = camera("run", bundle, "--source", photos, "--redact", "faces", cwd=tmp_path)
    assert done.returncode == 1
    assert "finds no faces; name a bundle that does (a label 'face')" in done.stderr


def test_what_the_model_is_not_shown_is_covered(tmp_path: Path, photos: Path) -> None:
    """The centre of a wide picture is all that resize = 'crop' keeps."""
    bundle = bundle_of(write_model(tmp_path, resize="crop"), tmp_path / "crop.edgekit", scene(0))
    wide = np.full((60, 160, 3), 80, np.uint8)
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    (result,) = seen(bundle, tmp_path / "wide.png", redact="people")
    filled = (result.frame.image == 96).all(axis=2)
    assert filled[:, :40].all()
    assert filled[:, 120:].all()
    assert not filled[:, 40:120].any()


def test_a_doubtful_pixel_is_covered_though_it_is_nobody(bundle: Path, tmp_path: Path) -> None:
    """A dark red has a probability of .35; the contract asks for .5, and half of that is enough to be covered."""
    picture = np.full((SIZE[1], SIZE[0], 3), 80, np.uint8)
    picture[40:80, 40:80] = (20, 20, 114)
    cv2.imwrite(str(tmp_path / "doubt.png"), picture)
    (result,) = seen(bundle, tmp_path / "doubt.png", redact="people")
    assert isinstance(result.prediction, Mask)
    assert result.prediction.shares == {}
    assert (result.frame.image[40:80, 40:80] == 96).all()
    assert (result.frame.image[:30] == 80).all()


def binary(found: np.ndarray[Any, Any]) -> Mask:
    return Mask.of(np.ascontiguousarray(found.T.astype(np.int16)), ("background", "person"), 0)


def test_a_mask_grows_before_it_is_covered() -> None:
    found = np.zeros((100, 200), bool)
    found[40:50, 100:120] = True
    covered = covered_pixels(binary(found), frozenset({"person"}))
    expected = np.zeros_like(found)
    expected[38:52, 98:122] = True  # 2 % of 100 pixels
    np.testing.assert_array_equal(covered, expected)
    assert not covered_pixels(binary(found), frozenset({"face"})).any()


def test_pixels_stay_covered_for_a_second_and_three_frames() -> None:
    memory = MaskMemory()
    person = np.zeros((4, 4), bool)
    person[1, 1] = True
    nobody = np.zeros((4, 4), bool)
    assert (memory.update(person, 0.0) == person).all()
    for time_s in (0.3, 0.6, 0.99):
        assert (memory.update(nobody, time_s) == person).all()
    assert not memory.update(nobody, 1.5).any()
    # at a frame a second three of them are more
    memory.update(person, 10.0)
    assert [bool(memory.update(nobody, 10.0 + later).any()) for later in (1, 2, 3, 4)] == [
        True,
        True,
        True,
        False,
    ]
    # a frame of another size is another picture
    memory.update(person, 20.0)
    assert not memory.update(np.zeros((5, 4), bool), 20.1).any()
