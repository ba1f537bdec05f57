"""What is live between who captures it and who takes it: room for one item, never a queue."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_POLL_S = 0.1
"""A thread that waits looks this often whether it is to stop: a signal's handler takes no locks to tell it."""


class Slot(Generic[_Item]):
    """Holds at most one item: a new one takes the place of one that nobody took."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[_Item] = []
        self._ended = False
        self._stopped = False
        self.replaced = 0
        """Items that nobody took before a newer one came."""

    @property
    def holds(self) -> bool:
        """Whether there is something to take now."""
        return bool(self._items)

    def put(self, item: _Item) -> bool:
        """Whether the item was taken in: not after ``stop``."""
        with self._changed:
            if self._stopped:
                return False
            self.replaced += len(self._items)
            self._items = [item]
            self._changed.notify()
            return True

    def take(self) -> _Item | None:
        """The item, waited for; None after the last one or ``stop``."""
        with self._changed:
            while not self._items and not self._ended and not self._stopped:
                self._changed.wait(_POLL_S)
            return None if self._stopped or not self._items else self._items.pop()

    def end(self) -> None:
        """Nothing more will be put in; what is there can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody waits any longer. Takes no lock, so that a signal's handler may call it."""
        self._stopped = True
