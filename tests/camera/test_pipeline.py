"""Every frame of a file in order and as a plain loop answers it; of what is live the newest, none of it old."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edgekit
from edgekit.camera.answering import Answerer, open_bundle
from edgekit.camera.clips import Clip
from edgekit.camera.events import event_line
from edgekit.camera.frames import Frame, Source
from edgekit.camera.opening import open_source, open_stored
from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.times import STAGES, percentiles
from edgekit.contracts import Boxes, Classes, Encoded
from edgekit.data.images import read_image
from edgekit.errors import BundleError, CameraError, ContractError, DeviceError
from edgekit.models.zoo.store import resolve
from tests.camera.making import moving_crop, scenes, write_clip
from tests.conversion.stripes import LABELS, stripes
from tests.runner.bundles import onnx_bundle


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes that run another way every five frames."""
    rng = np.random.default_rng(3)
    images = [stripes(way, rng) for way in range(4) for _ in range(5)]
    return write_clip(tmp_path_factory.mktemp("clip") / "stripes.avi", images)


def plain_loop(answerer: Answerer, clip: Path) -> list[str]:
    """Read, infer, decode, one after the other."""
    return [event_line(Result(frame, answerer.answer(frame.image))) for frame in iter(Clip(clip).read, None)]


def test_a_file_is_answered_frame_by_frame_as_in_a_plain_loop(classifier: Path, clip: Path) -> None:
    answerer = open_bundle(classifier, threads=1)
    pipeline = Pipeline(answerer, open_stored(clip))
    results = list(pipeline)
    assert [event_line(result) for result in results] == plain_loop(answerer, clip)
    assert pipeline.captured == pipeline.put_out == 20
    assert pipeline.dropped == 0
    told = [result.prediction.top[0].label for result in results if isinstance(result.prediction, Classes)]
    # the model is small and Motion JPEG lossy; guessing is right five times
    assert sum(a == b for a, b in zip(told, (LABELS[i // 5] for i in range(20)), strict=True)) >= 16
    for stage in STAGES:
        times = pipeline.times.stages_ms()[stage]
        assert times
        # capture has one more: the read that finds the end
        assert times["samples"] == (21 if stage == "capture" else 20)


@pytest.mark.network
def test_yolo_follows_the_person_that_a_camera_pans_over(yolo: Path, tmp_path: Path) -> None:
    photo = read_image(resolve("yolov3-tiny").parent / "eval" / "astronaut-5.jpg")
    assert photo.shape[:2] == (480, 640)
    path = write_clip(tmp_path / "pan.mp4", moving_crop(photo, 6, (576, 432)))
    answerer = open_bundle(yolo, threads=1)
    results = list(Pipeline(answerer, open_stored(path)))
    assert [event_line(result) for result in results] == plain_loop(answerer, path)
    people = [item.prediction.boxes[0] for item in results if isinstance(item.prediction, Boxes)]
    assert [person.label for person in people] == ["person"] * 6
    # the camera moves right by 64 pixels, so what it sees moves left by as many; a box is some 10 pixels off
    moved = (people[0].left + people[0].right - people[-1].left - people[-1].right) / 2
    assert moved == pytest.approx(64, abs=30)
    assert all(0 <= box.left < box.right <= 576 and 0 <= box.top < box.bottom <= 432 for box in people)


class Slow:
    """An answerer whose inference takes longer than the frames' distance; the model is the real one."""

    def __init__(self, answerer: Answerer, seconds: float) -> None:
        self._answerer, self._seconds = answerer, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answerer, name)

    def infer_in(self, lane: int, encoded: Encoded) -> Any:
        time.sleep(self._seconds)
        return self._answerer.infer_in(lane, encoded)


def test_of_what_is_live_the_newest_frame_wins_and_none_is_old(classifier: Path) -> None:
    slow: Any = Slow(open_bundle(classifier, threads=1), 0.2)
    pipeline = Pipeline(slow, open_source("synthetic:64x64@50"), frames=100)
    indices = [result.frame.index for result in pipeline]
    assert indices == sorted(set(indices))
    # 2 s of frames and .2 s for each: about ten get through, and a queue would put out all hundred
    assert 2 <= len(indices) <= 12
    assert pipeline.captured == 100
    assert pipeline.dropped == 100 - len(indices)
    # the last frame that was captured is the last that comes out
    assert indices[-1] == 99
    age = pipeline.times.age_ms()
    assert age
    # an inference under way and its own: .4 s; a queue would have let it grow to 2 s and more
    assert age["p50"] is not None
    assert 200 <= age["p50"] < 1000


def test_a_slow_reader_gets_the_newest_frame(classifier: Path) -> None:
    pipeline = Pipeline(open_bundle(classifier, threads=1), open_source("synthetic:64x64@100"), frames=100)
    indices = []
    for result in pipeline:
        indices.append(result.frame.index)
        time.sleep(0.3)
    assert len(indices) <= 6
    assert pipeline.dropped == 100 - len(indices)


def test_a_slow_reader_of_a_file_gets_every_frame(classifier: Path, clip: Path) -> None:
    indices = []
    for result in Pipeline(open_bundle(classifier, threads=1), open_stored(clip)):
        indices.append(result.frame.index)
        time.sleep(0.01)
    assert indices == list(range(20))


def test_stages_overlap(classifier: Path, clip: Path) -> None:
    """Sleeping stages need no processor: what is asked is whether they wait for each other."""
    slow: Any = Slow(open_bundle(classifier, threads=1), 0.05)
    pipeline = Pipeline(slow, open_stored(clip))
    for _ in pipeline:
        time.sleep(0.05)
    # one after the other it would take 20 x .1 s
    assert pipeline.seconds < 1.7


def test_a_folder_of_images_of_many_sizes_has_boxes_in_the_pixels_of_each(
    classifier: Path, tmp_path: Path
) -> None:
    for name, size in (("a.png", (64, 48)), ("b.png", (200, 100))):
        cv2.imwrite(str(tmp_path / name), scenes(1, size)[0])
    results = list(Pipeline(open_bundle(classifier, threads=1), open_stored(tmp_path)))
    assert [result.frame.image.shape for result in results] == [(48, 64, 3), (100, 200, 3)]


class Failing(Slow):
    """Fails at the eighth frame."""

    def __init__(self, answerer: Answerer) -> None:
        super().__init__(answerer, 0)
        self._asked = 0

    def infer_in(self, lane: int, encoded: Encoded) -> Any:
        self._asked += 1
        if self._asked == 8:
            raise ContractError("the eighth")
        return super().infer_in(lane, encoded)


def test_an_error_of_a_stage_is_raised_after_the_frames_before_it(classifier: Path, clip: Path) -> None:
    failing: Any = Failing(open_bundle(classifier, threads=1))
    seen: list[int] = []
    with pytest.raises(ContractError, match="the eighth"):
        seen.extend(result.frame.index for result in Pipeline(failing, open_stored(clip)))
    again: Any = Failing(failing)
    pipeline = Pipeline(again, open_stored(clip))
    indices = []
    iterator = iter(pipeline)
    for _ in range(7):
        indices.append(next(iterator).frame.index)
    assert indices == list(range(7))


class Silent:
    """A driver that never returns, as a camera's may when its cable is pulled."""

    name, live, rate_fps, patience_s, gaps = "silent", True, None, 0.3, ()

    def __init__(self, inner: Source, read: int) -> None:
        self._inner, self._left = inner, read

    def read(self) -> Frame | None:
        self._left -= 1
        if self._left < 0:
            time.sleep(3)
        frame = self._inner.read()
        return frame and replace(frame)

    def close(self) -> None:
        self._inner.close()


def test_a_driver_that_hangs_ends_with_a_line(classifier: Path) -> None:
    pipeline = Pipeline(open_bundle(classifier, threads=1), Silent(open_source("synthetic:64x64@50"), 3))
    started = time.perf_counter()
    with pytest.raises(CameraError, match="silent: stalled: no frame for 0 s"):
        list(pipeline)
    assert time.perf_counter() - started < 10


def test_leaving_the_loop_ends_the_threads(classifier: Path) -> None:
    before = threading.active_count(), sys.getswitchinterval()
    frames: Any = edgekit.camera(classifier, "synthetic:64x64@50")
    for seen in frames:
        assert isinstance(seen.prediction, Classes)
        break
    frames.close()
    assert (threading.active_count(), sys.getswitchinterval()) == before


def spoiled(bundle: Path) -> None:
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"\0")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda path: path / "none", BundleError, "no such bundle"),
        (onnx_bundle, BundleError, "manifest|contract"),
    ],
)
def test_what_is_no_bundle_for_pictures(
    tmp_path: Path, make: Callable[[Path], Path], error: type[Exception], message: str
) -> None:
    with pytest.raises((error, ContractError), match=message):
        open_bundle(make(tmp_path / "b"), threads=1)


def test_a_task_that_cannot_be_shown_lists_those_that_can(tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "b")
    (bundle / "contract.toml").write_text(
        'schema = 1\ntask = "tensor"\n[[inputs]]\nkind = "tensor"\nname = "image"\nshape = [1, 3, 32, 32]\n'
        '[output]\nkind = "tensor"\nnames = ["scores"]\n'
    )
    with pytest.raises(
        BundleError, match="task 'tensor' cannot be shown on pictures; the camera takes: image-"
    ):
        open_bundle(bundle, threads=1)


def test_a_changed_artifact_is_not_run(classifier: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(classifier, tmp_path / "copy"))
    spoiled(copy)
    with pytest.raises(DeviceError, match="changed since the bundle was written: model"):
        open_bundle(copy, threads=1)


def test_a_p99_needs_a_hundred_samples() -> None:
    assert percentiles([]) is None
    few, many = percentiles([1.0] * 99), percentiles([1.0] * 100)
    assert few
    assert few["p99"] is None
    assert many
    assert many["p99"] == 1.0
