"""Several inferences at once: in order, none twice, none old, and an end whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundles import read_bundle
from edgekit.camera.analysis import Analysis
from edgekit.camera.answering import Answerer, fitting_inferences, open_bundle
from edgekit.camera.clips import Clip
from edgekit.camera.events import event_line
from edgekit.camera.frames import Frame
from edgekit.camera.happenings import Happening
from edgekit.camera.lanes import Lanes
from edgekit.camera.opening import open_source, open_stored
from edgekit.camera.pipeline import Pipeline, Result, workers
from edgekit.camera.replaying import replay
from edgekit.camera.together import together
from edgekit.camera.work import Work
from edgekit.contracts import Classes, Encoded, Prediction, ScoredLabel
from edgekit.errors import CameraError, DeviceError
from edgekit.runner.engine import Engine
from tests.camera.making import scenes, write_clip
from tests.camera.scripted import PATIENCE_S, Numbered, Scripted, Signals
from tests.camera.test_command import edgekit
from tests.runner.bundles import litert_bundle, onnx_bundle, openvino_bundle

INFERENCES = (1, 2, 3)


def indices(results: list[Result]) -> list[int]:
    for result in results:
        assert isinstance(result.prediction, Classes)
        assert result.prediction.top[0].index == result.frame.index
    return [result.frame.index for result in results]


def pipeline_of(answerer: Scripted, source: Numbered, **more: Any) -> Pipeline:
    stand_in: Any = answerer
    return Pipeline(stand_in, source, **more)


def test_a_later_frame_that_is_done_first_waits_for_those_before_it() -> None:
    """Of each pair the first one's inference ends after the second one's."""
    done = Signals()

    def infer(index: int) -> None:
        if index % 2 == 0:
            done.wait_for(index + 1)
        done.tell(index)

    answerer = Scripted(2, infer)
    assert indices(list(pipeline_of(answerer, Numbered(20)))) == list(range(20))
    assert answerer.most_at_once == 2


@pytest.mark.parametrize("inferences", INFERENCES)
def test_so_many_inferences_are_under_way_and_no_more(inferences: int) -> None:
    meeting = threading.Barrier(inferences)

    def infer(_: int) -> None:
        meeting.wait(PATIENCE_S)

    answerer = Scripted(inferences, infer)
    assert indices(list(pipeline_of(answerer, Numbered(4 * inferences)))) == list(range(4 * inferences))
    assert answerer.most_at_once == inferences


@pytest.mark.parametrize(
    ("inferences", "threads", "cores", "wanted"),
    [(1, 1, 1, 1), (2, 1, 2, 2), (3, 1, 2, 3), (1, 1, 2, 2), (3, 1, 4, 4), (1, 2, 2, 2), (2, 2, 4, 3)],
)
def test_a_worker_more_where_inferences_leave_a_processor_idle(
    inferences: int, threads: int, cores: int, wanted: int
) -> None:
    assert workers(inferences, threads=threads, cores=cores) == wanted


@pytest.mark.parametrize("live", [False, True])
def test_as_many_workers_as_inferences_do(live: bool) -> None:
    """One processor, one worker: every frame of a file, of what is live the newest one."""
    answerer = Scripted(1, lambda _: time.sleep(0.02), cores=1)
    pipeline = pipeline_of(answerer, Numbered(12, live=live, pause_s=0.005))
    assert pipeline.workers == 1
    found = indices(list(pipeline))
    assert found == sorted(set(found))
    assert found[-1] == 11
    if not live:
        assert found == list(range(12))
    # what is replaced has not been prepared for nothing
    assert answerer.prepared == answerer.inferred


@pytest.mark.parametrize("inferences", INFERENCES)
def test_what_goes_on_from_frame_to_frame_is_told_in_their_order(inferences: int) -> None:
    """The later of two frames is always through first, and the analyst is asked about one at a time."""
    seen: list[int] = []
    busy = threading.Lock()

    class Watching:
        def analyse(self, frame: Any, _: Prediction) -> None:
            assert busy.acquire(blocking=False)
            time.sleep(0.002)
            seen.append(frame.index)
            busy.release()

    answerer, watching = Scripted(inferences, lambda index: time.sleep(0.01 * (index % 3 == 0))), Watching()
    results = list(pipeline_of(answerer, Numbered(30), analyst=watching))
    assert indices(results) == seen == list(range(30))


def test_of_what_is_live_a_frame_that_was_overtaken_is_not_shown() -> None:
    shown, begun = Signals(), threading.Event()

    def infer(index: int) -> None:
        if index == 0:
            begun.set()
            shown.wait_for_any()

    pipeline = pipeline_of(Scripted(2, infer), Numbered(8, live=True, pause_s=0.05, first_taken=begun))
    found = []
    for result in pipeline:
        shown.tell(result.frame.index)
        found.append(result)
    assert indices(found) == sorted(set(indices(found)))
    assert 0 not in indices(found)
    assert found[-1].frame.index == 7
    assert pipeline.dropped == pipeline.replaced == 8 - len(found)


def test_what_happened_on_a_frame_that_nobody_took_is_told_with_the_next() -> None:
    looked_at = []

    class Eventful:
        def analyse(self, frame: Frame, _: Prediction) -> Analysis:
            looked_at.append(frame.index)
            entered = Happening("entered", "door", track=frame.index, label="person")
            return Analysis((), (entered,), None, {})

    pipeline = pipeline_of(Scripted(1), Numbered(8, live=True, pause_s=0.02), analyst=Eventful())
    found, told = [], []
    for result in pipeline:
        assert result.analysis
        told += [happening.track for happening in result.analysis.happenings]
        found.append(result.frame.index)
        if len(found) == 1:
            time.sleep(0.3)
    assert told == looked_at
    assert len(found) < len(told)


def test_what_waits_for_an_inference_gives_way_to_the_newest_frame() -> None:
    """One that was prepared is as old as the inference before it is long, unless it is left for a newer one."""
    shown, begun = Signals(), threading.Event()
    source = Numbered(6, live=True, pause_s=0.02, first_taken=begun)

    def infer(index: int) -> None:
        if index:
            shown.wait_for(0)
            return
        begun.set()
        while source.read_so_far < 6:
            time.sleep(0.005)
        while 5 not in answerer.prepared:  # it takes the place of any that waits for this inference
            time.sleep(0.005)

    answerer, found = Scripted(1, infer), []
    for result in pipeline_of(answerer, source):
        shown.tell(result.frame.index)
        found.append(result)
    assert indices(found) == answerer.inferred == [0, 5]
    assert answerer.prepared[-1] == 5


@pytest.mark.parametrize("inferences", INFERENCES)
def test_the_first_worker_that_fails_ends_a_file_after_the_frames_before_it(inferences: int) -> None:
    def infer(index: int) -> None:
        if index == 8:
            raise DeviceError("the eighth")
        if index == 7:
            time.sleep(0.2)
        if index == 9:
            raise DeviceError("the ninth")

    found: list[Result] = []
    with pytest.raises(DeviceError, match="the eighth"):
        found.extend(iter(pipeline_of(Scripted(inferences, infer), Numbered(100))))
    assert indices(found) == list(range(8))


def test_a_worker_that_fails_ends_what_is_live_even_if_its_frame_was_overtaken() -> None:
    shown, begun = Signals(), threading.Event()

    def infer(index: int) -> None:
        if index == 0:
            begun.set()
            shown.wait_for_any()
            raise DeviceError("late")

    def run() -> None:
        for result in pipeline_of(
            Scripted(2, infer), Numbered(250, live=True, pause_s=0.02, first_taken=begun)
        ):
            shown.tell(result.frame.index)

    with pytest.raises(DeviceError, match="late"):
        run()


def test_an_error_of_what_goes_on_from_frame_to_frame_is_raised() -> None:
    class Failing:
        def analyse(self, frame: Any, _: Prediction) -> None:
            if frame.index == 5:
                raise CameraError("lost track")

    found: list[Result] = []
    with pytest.raises(CameraError, match="lost track"):
        found.extend(iter(pipeline_of(Scripted(2), Numbered(50), analyst=Failing())))
    assert indices(found) == list(range(5))


def test_a_source_that_fails_ends_after_the_frames_that_it_gave() -> None:
    class Damaged(Numbered):
        def read(self) -> Any:
            if self.read_so_far == 9:
                raise CameraError("damaged")
            return super().read()

    found: list[Result] = []
    with pytest.raises(CameraError, match="damaged"):
        found.extend(iter(pipeline_of(Scripted(3, lambda _: time.sleep(0.01)), Damaged(50))))
    assert indices(found) == list(range(9))


def test_a_file_is_not_read_ahead_of_a_slow_reader() -> None:
    source = Numbered(100)
    for result in pipeline_of(Scripted(2), source):
        time.sleep(0.01)
        # twice as many as there are workers, and the one that is being written
        assert source.read_so_far - result.frame.index <= 7
        if result.frame.index == 20:
            break


@pytest.mark.parametrize("live", [False, True])
def test_stop_ends_it_wherever_workers_wait(live: bool) -> None:
    """One infers for long, others wait for its lane, for room and for a frame."""
    before = threading.active_count()
    release = threading.Event()

    def infer(index: int) -> None:
        if index >= 3:
            release.wait(PATIENCE_S)

    pipeline = pipeline_of(Scripted(1, infer), Numbered(250, live=live, pause_s=0.005))
    threading.Timer(0.5, pipeline.stop).start()
    threading.Timer(0.7, release.set).start()
    started = time.perf_counter()
    found = indices(list(pipeline))
    assert found == sorted(set(found))
    assert time.perf_counter() - started < 10
    for _ in range(50):
        if threading.active_count() <= before:
            break
        time.sleep(0.1)
    assert threading.active_count() <= before


def test_a_lane_is_lent_once_and_nobody_waits_in_vain() -> None:
    lanes = Lanes(2)
    assert {lanes.take(), lanes.take()} == {0, 1}
    assert lanes.take(lambda: True) is None
    threading.Timer(0.1, lambda: lanes.give(1)).start()
    assert lanes.take() == 1


def test_as_many_as_there_are_processors_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    assert [fitting_inferences(threads) for threads in (1, 2, 3, 4, 8)] == [4, 2, 1, 1, 1]


class Row:
    """A contract that takes the first pixels for the model's input, so that any model is one of pictures."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self._name, self._shape = name, shape

    def encode(self, image: Any) -> Encoded:
        values = image.reshape(-1)[: int(np.prod(self._shape))].astype(np.float32) / 64
        return Encoded({self._name: values.reshape(self._shape)})

    def decode(self, outputs: dict[str, Any], _: object) -> Prediction:
        scores = outputs["scores"].reshape(-1)
        return Classes(
            tuple(ScoredLabel(index, str(index), float(score)) for index, score in enumerate(scores))
        )


def answerer_of(bundle: Path, inferences: int) -> Answerer:
    engine = Engine(bundle, threads=1, at_once=inferences, reset_peaks=False)
    context = engine.context()
    engine.load()
    engine.warm_up()
    (feeds,) = engine._feeds.items()
    contract: Any = Row(feeds[0], feeds[1].shape)
    return Answerer(read_bundle(bundle), contract, engine, context, Lanes(inferences))


@pytest.mark.parametrize(
    "make", [onnx_bundle, openvino_bundle, litert_bundle], ids=lambda make: make.__name__
)
def test_each_runtime_answers_several_at_once_as_it_answers_one(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    bundle, clip = make(tmp_path / "b"), write_clip(tmp_path / "c.avi", scenes(40))
    alone = answerer_of(bundle, 1)
    wanted = [event_line(Result(frame, alone.answer(frame.image))) for frame in iter(Clip(clip).read, None)]
    assert len(set(wanted)) > 10
    found = [event_line(result) for result in Pipeline(answerer_of(bundle, 3), open_stored(clip))]
    assert found == wanted


@pytest.mark.parametrize(
    "make", [onnx_bundle, openvino_bundle, litert_bundle], ids=lambda make: make.__name__
)
def test_inferences_of_one_runtime_overlap_without_mixing(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Every lane has inputs of its own, asked for at the same time again and again."""
    engine = Engine(make(tmp_path / "b"), threads=1, at_once=3, reset_peaks=False)
    engine.context()
    engine.load()
    engine.warm_up()
    ((name, sample),) = engine._feeds.items()
    inputs = [sample + lane for lane in range(3)]
    wanted = [engine.answer({name: one})["scores"] for one in inputs]
    assert not np.array_equal(wanted[0], wanted[1])
    wrong: list[int] = []
    meeting = threading.Barrier(3)

    def ask(lane: int) -> None:
        meeting.wait(PATIENCE_S)
        for _ in range(200):
            if not np.array_equal(engine.answer({name: inputs[lane]}, lane)["scores"], wanted[lane]):
                wrong.append(lane)

    threads = [threading.Thread(target=ask, args=(lane,)) for lane in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("inferences", [1, 2])
def test_streams_of_openvino_are_tied_to_no_processor(tmp_path: Path, inferences: int) -> None:
    """Two bundles' would be tied to the same ones, and a single one to that of the thread which it has woken."""
    openvino = pytest.importorskip("openvino")
    assert openvino.Core().get_property("CPU", "ENABLE_CPU_PINNING")  # what it does by itself
    answerer = answerer_of(openvino_bundle(tmp_path / "b"), inferences)
    session: Any = answerer.engine._session
    assert not session._model.get_property("ENABLE_CPU_PINNING")
    assert session._model.get_property("NUM_STREAMS") == inferences


def test_a_replay_has_the_same_bytes_with_any_number(classifier: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.avi", scenes(60))
    lines = [replay(clip, Work(bundle=classifier, inferences=number)).lines for number in INFERENCES]
    assert lines[0] == lines[1] == lines[2]
    assert len(lines[0]) == 60


def test_several_cameras_share_the_inferences_of_a_bundle() -> None:
    """Two cameras and two lanes: both are in use, never a third, and each camera has its own frames in order."""
    answerer: Any = Scripted(2, lambda _: time.sleep(0.01))
    pipelines = [Pipeline(answerer, Numbered(30)) for _ in range(2)]
    seen: list[list[Result]] = [[], []]
    for number, result in together(pipelines):
        seen[number].append(result)
    assert [indices(results) for results in seen] == [list(range(30))] * 2
    assert answerer.most_at_once == 2


def test_no_live_answer_is_older_than_its_own_way(classifier: Path) -> None:
    """Three at a time, each of which sleeps for .1 s: three times the frames, none of them older."""
    answerer = Scripted(3, lambda _: time.sleep(0.1))
    pipeline = pipeline_of(answerer, Numbered(100, live=True, pause_s=0.01))
    count = len(indices(list(pipeline)))
    # one inference at a time is ten a second at most
    assert count / pipeline.seconds > 15
    age = pipeline.times.age_ms()
    assert age
    assert age["p50"] is not None
    # a queue would have let it grow to seconds
    assert 100 <= age["p50"] < 600
    source = open_source("synthetic:64x64@100")
    with_model = Pipeline(open_bundle(classifier, threads=1, inferences=2), source, frames=20)
    assert [result.frame.index for result in with_model][-1] == 19


def test_the_command_takes_a_number_and_says_it(classifier: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.avi", scenes(8))
    done = edgekit("camera", "run", classifier, "--source", clip, "--inferences", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "8 frames (160x120), 0 dropped" in done.stdout
    assert "3 x 1 thread(s)" in done.stdout
    refused = edgekit("profile", classifier, "--inferences", "2", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--then and --inferences go with --pipeline" in refused.stderr
