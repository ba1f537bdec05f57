"""Capture, pre-processing, inference and post-processing in a thread each, the newest frame first.

Runtimes, OpenCV and much of numpy release Python's lock while they compute, so the stages overlap. Between two of them
is a slot of one: of what is live a new frame takes the place of one that is still waiting, of a file each waits its turn.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Generic, TypeVar

from edgekit.camera.analysis import Analysis, Analyst
from edgekit.camera.answering import Answerer
from edgekit.camera.degrading import Degrading
from edgekit.camera.frames import Frame, Source
from edgekit.camera.redaction import Redactor
from edgekit.camera.second import SecondStage
from edgekit.camera.slot import Slot
from edgekit.camera.times import Stage, Times
from edgekit.contracts import Encoded, Geometry, Prediction, Tensor
from edgekit.errors import CameraError

_A = TypeVar("_A")
_B = TypeVar("_B")
_Answer = tuple[Prediction, Analysis | None]
_JOIN_S = 2.0
"""A thread that waits in a driver longer than that is left behind; it ends with the process."""

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


@dataclass(frozen=True, slots=True)
class _Under(Generic[_A]):
    """A frame on its way."""

    frame: Frame
    answerer: Answerer
    content: _A


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
        self.answerer, self.source, self.analyst, self.second = answerer, source, analyst, second
        self.redactor, self.degrading, self._camera = redactor, degrading, camera
        self.times = Times()
        self.captured = self.put_out = 0
        self._most = frames
        self._stopped = False
        self._failures: list[BaseException] = []
        self._reading_since_s: float | None = None
        self._started_s = self._ended_s = 0.0
        live = source.live
        self._captured: Slot[_Under[None]] = Slot(newest_wins=live)
        self._prepared: Slot[_Under[Encoded]] = Slot(newest_wins=live)
        self._inferred: Slot[_Under[tuple[dict[str, Tensor], Geometry | None]]] = Slot(newest_wins=live)
        self._decoded: Slot[_Under[_Answer]] = Slot(newest_wins=live)
        self._slots: tuple[Slot[Any], ...] = (self._captured, self._prepared, self._inferred, self._decoded)

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
        return sum(slot.replaced for slot in self._slots)

    def stop(self) -> None:
        """End soon, without the frames under way; may be called from a signal's handler."""
        self._stopped = True
        for slot in self._slots:
            slot.stop()

    def __iter__(self) -> Iterator[Result]:
        with _QUICK_SWITCHES:
            yield from self._results()

    def _results(self) -> Iterator[Result]:
        threads = self._start()
        try:
            while (under := self._next()) is not None:
                self.put_out += 1
                try:
                    with self.times.of("output"):
                        yield Result(under.frame, *under.content, camera=self._camera)
                finally:
                    self._ended_s = perf_counter()
                    age_ms = (self._ended_s - under.frame.captured_s) * 1000
                    self.times.came_out(age_ms)
                if self.degrading:
                    self.degrading.came_out(age_ms)
            if self._failures:
                raise self._failures[0]
        finally:
            self.stop()
            self.source.close()
            for thread in threads:
                thread.join(_JOIN_S)

    def _start(self) -> list[threading.Thread]:
        works: list[Callable[[], None]] = [
            self._capture,
            lambda: self._stage(
                "preprocess",
                self._captured,
                self._prepared,
                lambda under: under.answerer.prepare(under.frame.image),
            ),
            lambda: self._stage(
                "inference",
                self._prepared,
                self._inferred,
                lambda under: (under.answerer.infer(under.content), under.content.meta),
            ),
            lambda: self._stage(
                "postprocess",
                self._inferred,
                self._decoded,
                lambda under: self._understand(under.frame, under.answerer, *under.content),
            ),
        ]
        self._started_s = self._ended_s = perf_counter()
        threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in works]
        for thread in threads:
            thread.start()
        return threads

    def _understand(
        self, frame: Frame, answerer: Answerer, outputs: dict[str, Tensor], geometry: Geometry | None
    ) -> _Answer:
        prediction = answerer.decode(outputs, geometry)
        if self.second:
            prediction = self.second.answer(frame.image, prediction)
        if self.redactor:
            prediction = self.redactor.redact(frame, answerer, outputs, geometry, prediction)
        return prediction, self.analyst.analyse(frame, prediction) if self.analyst else None

    def _next(self) -> _Under[_Answer] | None:
        """The next frame that came through; CameraError where the source has not answered for too long."""
        while True:
            try:
                return self._decoded.take(_LOOK_S)
            except TimeoutError:
                since_s, patience_s = self._reading_since_s, self.source.patience_s
                if since_s and patience_s and perf_counter() - since_s > patience_s:
                    raise CameraError(
                        f"{self.source.name}: stalled: no frame for {patience_s:.0f} s; is it still connected?"
                    ) from None

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run a thread's work; its error is raised where the caller can catch it."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            self._failures.append(error)

    def _capture(self) -> None:
        try:
            while not self._stopped and self.captured != self._most:
                self._reading_since_s = perf_counter()
                with self.times.of("capture"):
                    frame = self.source.read()
                self._reading_since_s = None
                if frame is None:
                    return
                self.captured += 1
                answerer = self.degrading.answerer() if self.degrading else self.answerer
                if answerer and not self._captured.put(_Under(frame, answerer, None)):
                    return
        finally:
            self._captured.end()

    def _stage(
        self,
        stage: Stage,
        before: Slot[_Under[_A]],
        after: Slot[_Under[_B]],
        work: Callable[[_Under[_A]], _B],
    ) -> None:
        """Take, work, hand on, until there is nothing more to take or nobody to hand it to.

        Where the work fails, what comes after still gets the frames before it, and what comes before stops.
        """
        try:
            while (under := before.take()) is not None:
                with self.times.of(stage):
                    content = work(under)
                if not after.put(_Under(under.frame, under.answerer, content)):
                    return
        finally:
            before.stop()
            after.end()


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
