"""Whose inference is next: so many may be under way at once, of all threads that ask a bundle."""

from __future__ import annotations

import threading
from collections.abc import Callable

_POLL_S = 0.1
"""Who waits looks this often whether it is to stop: a signal's handler takes no locks to tell it."""


def _never() -> bool:
    return False


class Lanes:
    """The numbers from 0 to ``count - 1``, each lent to one thread at a time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = list(range(count))
        self._changed = threading.Condition()

    def take(self, unless: Callable[[], bool] = _never) -> int | None:
        """A free lane, waited for; None as soon as ``unless`` says so. It has to be given back."""
        with self._changed:
            while not self._free:
                if unless():
                    return None
                self._changed.wait(_POLL_S)
            return self._free.pop()

    def give(self, lane: int) -> None:
        with self._changed:
            self._free.append(lane)
            self._changed.notify()

    def look_again(self) -> None:
        """What those who wait ask with ``unless`` may have another answer now."""
        with self._changed:
            self._changed.notify_all()
