"""What stands between two threads of the pipeline: room for one item, never a queue."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_POLL_S = 0.1
"""A thread that waits looks this often whether it is to stop: a signal's handler takes no locks to tell it."""


class Slot(Generic[_Item]):
    """Holds at most one item. ``newest_wins``: a new one takes the place of one that nobody took, else ``put`` waits."""

    def __init__(self, *, newest_wins: bool) -> None:
        self._newest_wins = newest_wins
        self._changed = threading.Condition()
        self._items: list[_Item] = []
        self._ended = False
        self._stopped = False
        self.replaced = 0
        """Items that nobody took before a newer one came."""

    def put(self, item: _Item) -> bool:
        """Whether the item was taken in: not after ``stop``."""
        with self._changed:
            while self._items and not self._newest_wins and not self._stopped:
                self._changed.wait(_POLL_S)
            if self._stopped:
                return False
            self.replaced += len(self._items)
            self._items = [item]
            self._changed.notify_all()
            return True

    def take(self, patience_s: float | None = None) -> _Item | None:
        """The item, waited for; None after the last one or ``stop``. TimeoutError after ``patience_s`` without one."""
        waited_s = 0.0
        with self._changed:
            while not self._items and not self._ended and not self._stopped:
                if patience_s is not None and waited_s >= patience_s:
                    raise TimeoutError
                if not self._changed.wait(_POLL_S):
                    waited_s += _POLL_S
            if self._stopped or not self._items:
                return None
            item = self._items.pop()
            self._changed.notify_all()
            return item

    def end(self) -> None:
        """Nothing more will be put in; what is there can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody waits any longer. Takes no lock, so that a signal's handler may call it."""
        self._stopped = True
