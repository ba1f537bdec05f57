"""Where those who answer frames get the next one from: of a file the next in order, of what is live the newest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Protocol

from edgekit.camera.answering import Answerer
from edgekit.camera.frames import Frame, Source
from edgekit.camera.slot import Slot
from edgekit.camera.times import Times


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame that is to be answered, and by whom."""

    number: int
    """Counted from 0 in the order of capture, without holes; of those that are live not each is taken."""
    frame: Frame
    answerer: Answerer


class Capture:
    """Reads a source, one frame after the other; in one thread at a time."""

    def __init__(
        self, source: Source, answerer: Callable[[], Answerer | None], times: Times, *, most: int | None
    ) -> None:
        """``answerer`` says who answers the next frame, None: nobody; ``most``: end after so many frames."""
        self._source, self._answerer, self._times, self._most = source, answerer, times, most
        self._numbers = count()
        self.captured = 0
        self.reading_since_s: float | None = None
        """Since when the source has been asked for a frame that has not come yet."""

    def next(self) -> Taken | None:
        """The next frame that is to be answered; None after the last one. Raises what the source does."""
        while self.captured != self._most:
            self.reading_since_s = perf_counter()
            with self._times.of("capture"):
                frame = self._source.read()
            self.reading_since_s = None
            if frame is None:
                return None
            self.captured += 1
            if answerer := self._answerer():
                return Taken(next(self._numbers), frame, answerer)
        return None


class Intake(Protocol):
    """Asked by several threads at the same time."""

    @property
    def replaced(self) -> int:
        """Frames that nobody took before a newer one came."""

    def capture(self) -> None:
        """What is to be done in a thread of its own, where anything is. Raises what the source does."""

    def take(self) -> Taken | None:
        """The next frame; None after the last one or ``stop``. Raises what the source does."""

    def passed(self) -> bool:
        """Whether a frame that has been taken is not wanted any more: a newer one is there, or the end."""

    def stop(self) -> None:
        """Nobody waits any longer; a signal's handler may call it."""


class InOrder:
    """Of a file: whoever asks for a frame reads it, one at a time, as soon as there is room for it.

    So it stays with one thread and in its processor's cache, and nothing is handed over.
    """

    replaced = 0

    def __init__(self, capture: Capture, has_room: Callable[[], bool]) -> None:
        """``has_room`` waits for it; False where there will be none."""
        self._capture, self._has_room = capture, has_room
        self._turn = threading.Lock()
        self._ended = self._stopped = False

    def capture(self) -> None:
        """Nothing: frames wait in the file."""

    def take(self) -> Taken | None:
        with self._turn:
            if self._ended or self._stopped or not self._has_room():
                return None
            self._ended = True  # also where reading fails
            taken = self._capture.next()
            self._ended = taken is None
            return taken

    def passed(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        self._stopped = True


class Newest:
    """Of what is live: one thread captures all the time, and what nobody took gives way to what is newer."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._slot: Slot[Taken] = Slot()
        self._stopped = False

    @property
    def replaced(self) -> int:
        return self._slot.replaced

    def capture(self) -> None:
        try:
            while not self._stopped and (taken := self._capture.next()) is not None:
                self._slot.put(taken)
                taken.answerer.lanes.look_again()
        finally:
            self._slot.end()

    def take(self) -> Taken | None:
        return self._slot.take()

    def passed(self) -> bool:
        return self._stopped or self._slot.holds

    def stop(self) -> None:
        self._stopped = True
        self._slot.stop()
