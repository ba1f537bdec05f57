"""Several cameras share a bundle; each keeps its own frames, tracks, files and troubles."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from edgekit.camera.clips import Clip
from edgekit.camera.events import event_line
from edgekit.camera.frames import Frame
from edgekit.camera.opening import open_source, open_stored
from edgekit.camera.replaying import replay
from edgekit.camera.running import Input, Output, run_camera
from edgekit.camera.together import together
from edgekit.camera.work import OpenWork, Work
from edgekit.errors import CameraError
from tests.camera.making import scenes, write_clip


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    """Of different lengths and sizes."""
    return [
        str(write_clip(tmp_path / "a.avi", scenes(12, (64, 64)))),
        str(write_clip(tmp_path / "b.avi", scenes(30, (96, 64)))),
    ]


def test_each_is_answered_as_if_it_were_alone(classifier: Path, clips: list[str], tmp_path: Path) -> None:
    events = tmp_path / "e.jsonl"
    output = Output(events=str(events), video=tmp_path / "seen.avi")
    facts = run_camera(Work(bundle=classifier), Input(sources=clips), output)
    assert [(each["source"], each["frames"], each["dropped"]) for each in facts["cameras"]] == [
        (clips[0], 12, 0),
        (clips[1], 30, 0),
    ]
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    for number, clip in enumerate(clips):
        own = [line for line in lines if line["camera"] == clip]
        alone = replay(Path(clip), Work(bundle=classifier)).lines
        assert own == [{**json.loads(line), "camera": clip} for line in alone]
        video = open_stored(tmp_path / f"seen-{number}.avi")
        shapes = {frame.image.shape for frame in iter(video.read, None)}
        assert shapes == {(64, (64, 96)[number], 3)}


class Failing:
    """A clip whose reading fails after some frames."""

    live, rate_fps, patience_s, gaps = False, 20.0, None, ()
    name = "failing"

    def __init__(self, clip: str, good: int) -> None:
        self._clip, self._good = Clip(Path(clip)), good

    def read(self) -> Frame | None:
        self._good -= 1
        if self._good < 0:
            raise CameraError("failing: cable cut")
        return self._clip.read()

    def close(self) -> None:
        """Nothing is held."""


def test_where_one_fails_the_others_go_on(classifier: Path, clips: list[str]) -> None:
    work, told, seen = OpenWork(Work(bundle=classifier)), list[str](), [0, 0]
    pipelines = [work.pipeline(Failing(clips[0], 4)), work.pipeline(open_stored(Path(clips[1])))]

    def run() -> None:
        for number, _ in together(pipelines, told=told.append):
            seen[number] += 1

    with pytest.raises(CameraError, match="cable cut"):
        run()
    assert seen == [4, 30]
    assert told in (
        ["failing: cable cut; the other cameras go on"],
        [],
    )  # none are left where it was the last


def test_leaving_the_loop_ends_the_threads(classifier: Path) -> None:
    before = threading.active_count()
    work = OpenWork(Work(bundle=classifier))
    sources = [open_source("synthetic:64x64@100") for _ in range(3)]
    for count, (number, result) in enumerate(together([work.pipeline(source) for source in sources])):
        assert number in range(3)
        assert event_line(result)
        if count == 20:
            break
    for _ in range(50):
        if threading.active_count() == before:
            break
        time.sleep(0.1)
    assert threading.active_count() == before


def test_a_slow_reader_of_results_makes_no_frame_old(classifier: Path) -> None:
    """What waits in the pipelines is replaced: an answer is never older than a turn of each camera."""
    work = OpenWork(Work(bundle=classifier))
    pipelines = [work.pipeline(open_source("synthetic:64x64@100")) for _ in range(2)]
    for count, _ in enumerate(together(pipelines)):
        time.sleep(0.05)
        if count == 30:
            break
    for pipeline in pipelines:
        age = pipeline.times.age_ms()
        assert age
        assert age["p50"] is not None
        # its own turn and the other's, 50 ms each, and what waits before them; 2 s where frames queued up
        assert age["p50"] < 400
        assert pipeline.dropped > 20


def test_a_page_shows_one_camera(classifier: Path, clips: list[str]) -> None:
    with pytest.raises(CameraError, match="the live page shows one camera"):
        run_camera(Work(bundle=classifier), Input(sources=clips), Output(serve="0"))


def test_a_source_that_is_given_twice_is_refused(classifier: Path, clips: list[str], tmp_path: Path) -> None:
    """Both annotated videos would have the frames of both."""
    output = Output(video=tmp_path / "seen.avi")
    with pytest.raises(CameraError, match=r"a\.avi: given twice"):
        run_camera(Work(bundle=classifier), Input(sources=[*clips, clips[0]]), output)
    assert not list(tmp_path.glob("seen*"))
