"""``profile --pipeline``: the stages one after the other and overlapped, on a real clip."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.camera.answering import open_bundle
from edgekit.camera.opening import open_stored
from edgekit.camera.pace import Pace, overlapped_fps, pace
from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.times import STAGES
from edgekit.errors import CameraError
from tests.camera.making import scenes, write_clip
from tests.camera.test_command import edgekit

SLOW_S = 0.02


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "scenes.avi", scenes(30))


def slowly(_: Result) -> None:
    time.sleep(SLOW_S)


def test_a_slow_stage_is_found_and_the_others_overlap_with_it(classifier: Path, clip: Path) -> None:
    answerer = open_bundle(classifier, threads=1)
    found = pace(lambda: Pipeline(answerer, open_stored(clip)), slowly)
    assert found.frames == 27
    assert tuple(found.stages_ms) == STAGES
    assert found.longest == "output"
    assert found.stages_ms["output"] >= SLOW_S * 1000
    # what sleeps takes no processor: both say how they relate, whatever this machine does beside
    assert found.loop_fps < found.bound_fps <= 1 / SLOW_S
    assert found.pipeline_fps <= 1 / SLOW_S
    assert found.cpu_ms < sum(found.stages_ms.values())


def test_the_limit_is_a_stage_or_the_processors() -> None:
    found = Pace(
        frames=10,
        stages_ms=dict.fromkeys(STAGES, 1.0) | {"inference": 10.0},
        cpu_ms=14.0,
        pipeline_fps=99.0,
        inferences=1,
        workers=2,
        cores=2,
    )
    assert (found.bound_fps, found.limit, found.longest_fps) == (100.0, "inference", 100.0)
    assert replace(found, pipeline_fps=80.0).limit == "processors"
    two = replace(found, inferences=2, workers=3, pipeline_fps=140.0)
    assert (two.bound_fps, two.limit, two.longest_fps) == (2 * 1000 / 14, "processors", 100.0)
    # where processors are left over, each frame keeps a worker for all of its 13 ms
    assert replace(two, cores=8, pipeline_fps=200.0).nearest == "inference"
    wide = replace(two, cores=8, stages_ms=two.stages_ms | {"postprocess": 9.0, "preprocess": 9.0})
    assert wide.nearest == "workers"
    assert wide.bound_fps == pytest.approx(3 * 1000 / 29)
    assert replace(wide, stages_ms=wide.stages_ms | {"output": 11.0}).nearest == "output"


def test_it_ends_after_the_time_that_was_given(classifier: Path, clip: Path) -> None:
    answerer, seen = open_bundle(classifier, threads=1), list[int]()

    def note(result: Result) -> None:
        seen.append(result.frame.index)
        slowly(result)

    overlapped_fps(Pipeline(answerer, open_stored(clip)), note, duration_s=0.1)
    assert 3 < len(seen) < 30


def test_a_clip_of_three_frames_is_refused(classifier: Path, tmp_path: Path) -> None:
    short, answerer = write_clip(tmp_path / "short.avi", scenes(3)), open_bundle(classifier, threads=1)
    with pytest.raises(CameraError, match=r"short\.avi: ends within 3 frames, which is too short"):
        pace(lambda: Pipeline(answerer, open_stored(short)), lambda _: None)
    with pytest.raises(CameraError, match="too short"):
        overlapped_fps(Pipeline(answerer, open_stored(short)), lambda _: None)


def test_the_command_says_both(classifier: Path, clip: Path, tmp_path: Path) -> None:
    done = edgekit("profile", classifier, "--pipeline", clip, "--duration", "1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (facts,) = json.loads(done.stdout)["pipelines"]
    assert facts["kind"] == "measured"
    # a second has several turns of a clip as short as this
    assert facts["frames"] % 27 == 0
    assert facts["then"] is None
    assert {*facts["stages_ms"]} == {*STAGES}
    assert min(facts["loop_fps"], facts["pipeline_fps"]) > 0
    told = edgekit("profile", classifier, "--pipeline", clip, "--duration", "1", cwd=tmp_path)
    assert "camera run comes to" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_it_goes_with_no_device(classifier: Path, clip: Path, tmp_path: Path) -> None:
    done = edgekit("profile", classifier, "--pipeline", clip, "--on", "local", cwd=tmp_path)
    assert done.returncode == 2
    assert "without --on" in done.stderr
