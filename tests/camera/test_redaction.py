"""No face comes out: not in the pixels of the video, not in a frame, not when a detector blinks or fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edgekit
from edgekit.camera.answering import open_bundle
from edgekit.camera.opening import open_stored
from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.redaction import Redactor, open_detectors
from edgekit.contracts import Box, Boxes
from edgekit.contracts.types import Image
from edgekit.data.images import read_image
from edgekit.errors import ContractError, DeviceError
from edgekit.models.zoo.store import resolve
from tests.camera.making import moving_crop, write_clip
from tests.camera.test_command import camera, frames

SIZE = (288, 432)


@pytest.fixture(scope="module")
def pan(blazeface: Path) -> list[Image]:
    """A camera pans over a photograph of an astronaut, whose face is seen on all of it."""
    return moving_crop(read_image(resolve("blazeface").parent / "eval/face-00.jpg"), 12, SIZE)


@pytest.fixture(scope="module")
def clip(pan: list[Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("pan") / "clip.avi", pan)


def faces(blazeface: Path, images: list[Image]) -> list[tuple[Box, ...]]:
    """What BlazeFace finds by itself."""
    answerer, found = open_bundle(blazeface, threads=1), []
    for image in images:
        prediction = answerer.answer(image)
        assert isinstance(prediction, Boxes)
        found.append(prediction.boxes)
    return found


def part(image: Image, box: Box) -> Image:
    left, top, right, bottom = (max(0, round(side)) for side in (box.left, box.top, box.right, box.bottom))
    return image[top:bottom, left:right]


def detail(image: Image) -> float:
    """Energy of what differs from one pixel to the next."""
    return float(cv2.Laplacian(image, cv2.CV_64F).var())


@pytest.mark.network
def test_the_video_has_lost_the_face_and_nothing_else(
    classifier: Path, blazeface: Path, clip: Path, tmp_path: Path
) -> None:
    """The classifier writes its answers into the upper left corner, and leaves the face's region to what is tested."""
    words = ("run", classifier, "--source", clip, "--json")
    assert camera(*words, "--out", "plain.avi", cwd=tmp_path).returncode == 0
    done = camera(
        *words, "--out", "covered.avi", "--redact", "faces", "--redact-with", blazeface, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["redaction"] == {"kinds": ["faces"], "covered": 12, "held": 0}
    plain, covered = frames(tmp_path / "plain.avi"), frames(tmp_path / "covered.avi")
    found = faces(blazeface, plain)
    assert len(plain) == len(covered) == 12
    assert all(found)
    assert not any(faces(blazeface, covered))
    for before, after, (box, *_) in zip(plain, covered, found, strict=True):
        # a plain surface, but for what Motion JPEG makes of it
        assert detail(part(before, box)) > 100
        assert detail(part(after, box)) < 1
        # the margin is .3 on each side, and a block of the codec at its border has both in it
        reach = 0.3 * max(box.right - box.left, box.bottom - box.top) + 24
        ring = replace(
            box,
            left=box.left - reach,
            top=box.top - reach,
            right=box.right + reach,
            bottom=box.bottom + reach,
        )
        part(before, ring)[:] = part(after, ring)[:] = 0
        # the codec spends the bits that the face no longer takes: another quantisation, within its losses
        assert cv2.PSNR(before, after) > 38


@pytest.mark.network
def test_a_frame_is_covered_before_anybody_gets_it(blazeface: Path, clip: Path, pan: list[Image]) -> None:
    seen = list(edgekit_camera(blazeface, clip, redact="faces"))
    assert len(seen) == len(pan)
    plain = frames(clip)
    for result, before in zip(seen, plain, strict=True):
        assert isinstance(result.prediction, Boxes)
        box = result.prediction.boxes[0]
        assert box.points == ()
        region = part(result.frame.image, box)
        assert region.size
        assert (region == region[0, 0]).all()
        untouched = (result.frame.image == before).all(axis=2)
        # all that has changed is one rectangle, 1.6 times the box on each side as far as it is on the frame
        rows, columns = np.nonzero(~untouched)
        assert columns.max() - columns.min() <= 1.6 * (box.right - box.left) + 2
        assert rows.max() - rows.min() <= 1.6 * (box.bottom - box.top) + 2
    assert not any(faces(blazeface, [result.frame.image for result in seen]))


def edgekit_camera(*words: Any, **options: Any) -> list[Result]:
    function: Any = edgekit.camera
    return list(function(*words, **options))


@pytest.mark.network
def test_a_face_that_the_detector_loses_stays_covered(
    blazeface: Path, pan: list[Image], tmp_path: Path
) -> None:
    """On three frames it moves too fast for the exposure."""
    images, boxes = [image.copy() for image in pan], faces(blazeface, pan)
    for index in (6, 7, 8):
        face = part(images[index], boxes[index][0])
        face[:] = cv2.blur(face, (91, 1))
    assert [index for index, found in enumerate(faces(blazeface, images)) if not found] == [6, 7, 8]
    for index, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), image)
    answerer = open_bundle(blazeface, threads=1)
    detectors = open_detectors([answerer], "faces", with_bundle=None, threads=1)
    assert detectors
    redactor = Redactor(detectors)
    results = list(Pipeline(answerer, open_stored(tmp_path), redactor=redactor))
    assert redactor.facts()["held"] == 3
    for result, (box, *_) in zip(results, boxes, strict=True):
        region = part(result.frame.image, box)
        assert (region == region[0, 0]).all(), result.frame.index


@pytest.mark.network
def test_people_are_covered_by_a_detector_of_objects(yolo: Path, tmp_path: Path) -> None:
    photo = read_image(resolve("yolov3-tiny").parent / "eval" / "astronaut-5.jpg")
    path = write_clip(tmp_path / "pan.avi", moving_crop(photo, 2, (576, 432)))
    for result in edgekit_camera(yolo, path, redact="people"):
        assert isinstance(result.prediction, Boxes)
        person = result.prediction.boxes[0]
        assert person.label == "person"
        region = part(result.frame.image, person)
        assert (region == region[0, 0]).all()


class Failing:
    """A detector that does not answer one image; the model is the real one."""

    def __init__(self, answerer: Any, at: Image) -> None:
        self._answerer, self._at = answerer, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answerer, name)

    def prepare(self, image: Image) -> Any:
        if np.array_equal(image, self._at):
            raise DeviceError("the detector is gone")
        return self._answerer.prepare(image)


@pytest.mark.network
def test_no_frame_comes_out_that_could_not_be_covered(
    classifier: Path, blazeface: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answerer = open_bundle(classifier, threads=1)
    fourth = [frame.image for frame in iter(open_stored(clip).read, None)][3]
    monkeypatch.setattr(
        "edgekit.camera.redaction.open_bundle",
        lambda *words, **more: Failing(open_bundle(*words, **more), fourth),
    )
    detectors = open_detectors([answerer], "faces", with_bundle=blazeface, threads=1)
    assert detectors
    redactor = Redactor(detectors)
    seen: list[Image] = []
    with pytest.raises(DeviceError, match="the detector is gone"):
        seen.extend(r.frame.image for r in Pipeline(answerer, open_stored(clip), redactor=redactor))
    assert len(seen) == 3
    assert not any(faces(blazeface, seen))


@pytest.mark.network
def test_a_detector_without_an_answer_is_an_error(blazeface: Path, clip: Path) -> None:
    """NaN is below every threshold: taken for an answer, it would be a picture without faces."""
    answerer = open_bundle(blazeface, threads=1)
    detectors = open_detectors([answerer], "faces", with_bundle=None, threads=1)
    assert detectors
    redactor = Redactor(detectors)
    frame = open_stored(clip).read()
    assert frame
    encoded = answerer.prepare(frame.image)
    outputs = {name: np.full_like(value, np.nan) for name, value in answerer.infer(encoded).items()}
    with pytest.raises(ContractError, match="NaN"):
        redactor.find(frame, answerer, outputs, encoded.meta)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--redact", "faces"), "finds no faces; name a bundle that does (a label 'face'): --redact-with"),
        (("--redact", "cats"), "--redact cats: 'cats' cannot be covered; there are: faces, people"),
        (("--redact", "faces,"), "'' cannot be covered"),
        (("--redact-with", "other.edgekit"), "other.edgekit: finds what is to be covered; say what"),
        (("--redact", "faces", "--redact-with", "other.edgekit"), "other.edgekit: no such bundle"),
    ],
)
def test_what_cannot_be_covered_is_said_before_anything_runs(
    classifier: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    done = camera("run", classifier, "--source", "none.mp4", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
