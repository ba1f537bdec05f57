"""Messages that wait for a server: a bounded queue and a thread that tries until each has arrived."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from edgekit.camera.pauses import pauses
from edgekit.errors import CameraError

CAPACITY = 1000
"""Messages that wait at most; then the oldest make room, and are counted."""
END_S = 5.0
"""Longest wait at the end for what still waits."""
LONGEST_PAUSE_S = 30.0
"""Between attempts."""


class UnreachableError(Exception):
    """The server does not answer, or not now: the same messages may be tried again."""


class RefusedError(Exception):
    """The server answers that it does not want them: to try again is of no use."""


class Transport(Protocol):
    """How texts get to a server. ``send`` is called by one thread at a time."""

    @property
    def name(self) -> str:
        """The address, without anything secret."""

    @property
    def window(self) -> int:
        """Texts that ``send`` takes at once."""

    def open(self, last_will: str) -> None:
        """Connect; ``last_will`` is for servers that send it when we vanish. UnreachableError, RefusedError."""

    def send(self, texts: Sequence[str]) -> None:
        """Return when all have arrived. After UnreachableError it is called again with the same object."""

    def close(self) -> None:
        """Let go of the connection."""


class Outbox:
    """Takes texts without ever waiting, and sends them in their order."""

    def __init__(self, transport: Transport, told: Callable[[str], None], capacity: int = CAPACITY) -> None:
        """``told`` hears, from a thread, when the server is gone and when it is there again."""
        self._transport, self._told, self._capacity = transport, told, capacity
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._under_way: tuple[str, ...] = ()
        self._ends_s: float | None = None
        self._closed = self._refused = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = self.lost = 0

    def open(self, first: str, last_will: str) -> None:
        """Connect and send the first text; CameraError where that does not work."""
        try:
            self._transport.open(last_will)
            self._transport.send((first,))
        except (UnreachableError, RefusedError) as error:
            self._transport.close()
            raise CameraError(f"{self._transport.name}: {error}") from None
        self.sent = 1
        self._thread.start()

    def put(self, text: str) -> None:
        """Take it in; where there is no room, the oldest text is lost."""
        with self._changed:
            self._waiting.append(text)
            while len(self._waiting) + len(self._under_way) > self._capacity and self._waiting:
                self._waiting.popleft()
                self.lost += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Wait for what is still to be sent, END_S at most; what has not arrived by then is lost."""
        with self._changed:
            self._ends_s = time.monotonic() + END_S
            self._changed.notify_all()
        self._thread.join(END_S)
        with self._changed:
            self._closed = True
            self.lost += len(self._under_way) + len(self._waiting)
        # a thread that still waits for an answer has the connection; it counts nothing any more, and ends by itself
        if not self._thread.is_alive():
            self._transport.close()

    def _run(self) -> None:
        while texts := self._next():
            arrived = self._deliver(texts)
            with self._changed:
                if self._closed:
                    return
                self._under_way = ()
                if arrived:
                    self.sent += len(texts)
                else:
                    self.lost += len(texts)

    def _next(self) -> tuple[str, ...]:
        """What is to be sent next, waited for; () at the end."""
        with self._changed:
            while not self._waiting and self._ends_s is None:
                self._changed.wait()
            count = min(self._transport.window, len(self._waiting))
            self._under_way = tuple(self._waiting.popleft() for _ in range(count))
            return self._under_way

    def _deliver(self, texts: tuple[str, ...]) -> bool:
        """Whether the texts have arrived: tried until then, until they are refused, or the end."""
        name, lost_before = self._transport.name, None
        for pause_s in pauses(LONGEST_PAUSE_S):
            try:
                self._transport.send(texts)
            except RefusedError as error:
                if not self._refused:  # it may refuse every frame
                    self._told(f"{name}: {error}; such messages are lost")
                self._refused = True
                return False
            except UnreachableError as error:
                if lost_before is None:
                    lost_before = self.lost
                    self._told(f"{name}: {error}; messages wait, the newest {self._capacity}")
                if not self._pause(pause_s):
                    return False
            else:
                if lost_before is not None:
                    self._told(f"{name}: answers again; {self.lost - lost_before} messages were lost")
                self._refused = False
                return True
        raise AssertionError("pauses have no end")

    def _pause(self, seconds: float) -> bool:
        """Wait before the next attempt, less when the end comes; whether there is to be one."""
        with self._changed:
            self._changed.wait_for(lambda: self._ends_s is not None, seconds)
        if self._ends_s is None:
            return True
        time.sleep(min(seconds, 0.25))
        return time.monotonic() < self._ends_s
