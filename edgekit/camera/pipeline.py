"""Several workers, each of which takes a frame through pre-processing, inference and post-processing.

Runtimes, OpenCV and much of numpy release Python's lock while they compute, so the workers' frames overlap. Frames of a
file all come out, in order; of what is live the newest wins wherever a frame has to wait.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

from edgekit.camera.analysis import Analysis, Analyst
from edgekit.camera.answering import Answerer
from edgekit.camera.degrading import Degrading
from edgekit.camera.frames import Frame, Source
from edgekit.camera.intake import Capture, InOrder, Intake, Newest, Taken
from edgekit.camera.order import Order
from edgekit.camera.redaction import Redactor
from edgekit.camera.second import SecondStage
from edgekit.camera.times import Times
from edgekit.camera.understanding import Looked, Understanding
from edgekit.contracts import Prediction
from edgekit.errors import CameraError

_JOIN_S = 2.0
"""Threads that wait in a driver longer than that are left behind; they end with the process."""
_SWITCH_S = 0.0005
"""Python lets a thread keep its lock for 5 ms by itself, which is longer than most stages take."""
_LOOK_S = 0.5
"""How often it is looked whether the source still answers."""


@dataclass(frozen=True, slots=True)
class Result:
    """A frame and what the model says of it, boxes and masks in the frame's pixels."""

    frame: Frame
    prediction: Prediction
    analysis: Analysis | None = None
    """Where boxes are followed."""
    camera: str | None = None
    """Name of its source, where there are several."""


def _telling_both(old: Result, new: Result) -> Result:
    """What happened on a frame that gives way is told with the one that takes its place."""
    if old.analysis is None or new.analysis is None:
        return new
    happenings = (*old.analysis.happenings, *new.analysis.happenings)
    return replace(new, analysis=replace(new.analysis, happenings=happenings))


def workers(inferences: int, *, threads: int, cores: int) -> int:
    """How many there are for so many inferences at a time, on ``threads`` each: one reads, prepares or decodes while the
    others infer.

    Not where as many as there are processors keep them busy without: what runs in turns there is interrupted while it
    holds Python's lock, and all others wait for it.
    """
    return inferences if threads == 1 and inferences >= cores else inferences + 1


class Pipeline:
    """Answers to the frames of a source, in the thread that iterates; what it does with one is stage ``output``.

    Errors of any stage are raised there. It can be iterated once.
    """

    def __init__(
        self,
        answerer: Answerer,
        source: Source,
        *,
        frames: int | None = None,
        analyst: Analyst | None = None,
        second: SecondStage | None = None,
        redactor: Redactor | None = None,
        degrading: Degrading | None = None,
        camera: str | None = None,
    ) -> None:
        """``frames``: end after so many have been captured. Within post-processing ``second`` asks another bundle
        about what was found, ``redactor`` covers the frames, of which none comes out that it fails at, and ``analyst``
        follows boxes.
        ``degrading``: says who answers, in place of ``answerer``. ``camera``: a name that results bear.
        """
        self.answerer, self.source, self.degrading, self._camera = answerer, source, degrading, camera
        self.analyst, self.second, self.redactor = analyst, second, redactor
        self.understanding = Understanding(second=second, redactor=redactor, analyst=analyst)
        self.times = Times()
        self.put_out = 0
        context = answerer.context
        self.workers = workers(answerer.lanes.count, threads=context["threads"], cores=context["cores"])
        self._at_work = self.workers
        self._leaving = threading.Lock()
        self._failures: list[BaseException] = []
        self._started_s = self._ended_s = 0.0
        choose = degrading.answerer if degrading else lambda: answerer
        self._capture = Capture(source, choose, self.times, most=frames)
        # as many may wait for a slower one before them, or for the caller, as there are workers
        self._order: Order[Result] = Order(
            newest_wins=source.live, room=2 * self.workers, give_way=_telling_both
        )
        self._intake: Intake = (
            Newest(self._capture) if source.live else InOrder(self._capture, self._order.has_room)
        )

    @property
    def captured(self) -> int:
        return self._capture.captured

    @property
    def seconds(self) -> float:
        """From the first read to the last frame that was put out."""
        return self._ended_s - self._started_s

    @property
    def dropped(self) -> int:
        """Frames that were captured and not put out: a newer one came, or the end."""
        return self.captured - self.put_out

    @property
    def replaced(self) -> int:
        """Frames that have given way to a newer one: those dropped so far, without those under way."""
        return self._intake.replaced + self._order.left_out

    def stop(self) -> None:
        """End soon, without the frames under way; may be called from a signal's handler."""
        self._intake.stop()
        self._order.stop()

    def __iter__(self) -> Iterator[Result]:
        with _QUICK_SWITCHES:
            yield from self._results()

    def _results(self) -> Iterator[Result]:
        threads = self._start()
        try:
            while (result := self._next()) is not None:
                self.put_out += 1
                try:
                    with self.times.of("output"):
                        yield result
                finally:
                    self._ended_s = perf_counter()
                    age_ms = (self._ended_s - result.frame.captured_s) * 1000
                    self.times.came_out(age_ms)
                if self.degrading:
                    self.degrading.came_out(age_ms)
            if self._failures:
                raise self._failures[0]
        finally:
            self.stop()
            self.source.close()
            until_s = perf_counter() + _JOIN_S
            for thread in threads:
                thread.join(max(0.0, until_s - perf_counter()))

    def _start(self) -> list[threading.Thread]:
        works = [self._intake.capture, *[self._work] * self.workers]
        self._started_s = self._ended_s = perf_counter()
        threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in works]
        for thread in threads:
            thread.start()
        return threads

    def _next(self) -> Result | None:
        """The next frame that came through; CameraError where the source has not answered for too long."""
        while True:
            try:
                return self._order.take(_LOOK_S)
            except TimeoutError:
                since_s, patience_s = self._capture.reading_since_s, self.source.patience_s
                if since_s and patience_s and perf_counter() - since_s > patience_s:
                    raise CameraError(
                        f"{self.source.name}: stalled: no frame for {patience_s:.0f} s; is it still connected?"
                    ) from None

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run a thread's work; its error, which is the source's, is raised where the caller can catch it."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            self._failures.append(error)

    def _work(self) -> None:
        """Take frames through the stages until there are no more; the last one who leaves says so."""
        try:
            while (taken := self._intake.take()) is not None:
                self._answer(taken)
        finally:
            with self._leaving:
                self._at_work -= 1
                if not self._at_work:
                    self._order.end()

    def _answer(self, taken: Taken) -> None:
        """A frame's own stages; what it adds to those before it follows when these are through."""
        frame, answerer = taken.frame, taken.answerer
        try:
            with self.times.of("preprocess"):
                encoded = answerer.prepare(frame.image)
            lane = answerer.lanes.take(self._intake.passed)
            if lane is None:
                self._order.leave_out()
                return
            try:
                with self.times.of("inference"):
                    outputs = answerer.infer_in(lane, encoded)
            finally:
                answerer.lanes.give(lane)
            begun_s = perf_counter()
            looked = self.understanding.look(frame, answerer, outputs, encoded.meta)
            finish = partial(self._finish, frame, looked, perf_counter() - begun_s)
        except BaseException as error:  # noqa: BLE001
            self._order.fail(taken.number, error)
        else:
            self._order.put(taken.number, finish)

    def _finish(self, frame: Frame, looked: Looked, looked_s: float) -> Result:
        begun_s = perf_counter()
        prediction, analysis = self.understanding.go_on(frame, looked)
        self.times.add("postprocess", looked_s + perf_counter() - begun_s)
        return Result(frame, prediction, analysis, self._camera)


class _QuickSwitches:
    """Let threads of this process hand over Python's lock sooner, for as long as any pipeline runs."""

    def __init__(self) -> None:
        self._lock, self._running, self._before_s = threading.Lock(), 0, 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._running:
                self._before_s = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before_s, _SWITCH_S))
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                sys.setswitchinterval(self._before_s)


_QUICK_SWITCHES = _QuickSwitches()
