"""What several threads have done, handed on in the order in which it was begun."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_Done = TypeVar("_Done")
_POLL_S = 0.1
"""A thread that waits looks this often whether it is to stop: a signal's handler takes no locks to tell it."""


def _new(_old: _Done, new: _Done) -> _Done:
    return new


class Order(Generic[_Done]):
    """Takes in things by their number, finishes one after the other, and keeps what is finished until it is taken.

    ``newest_wins``: what a later one has overtaken is left out, and a finished one gives way to the next. Otherwise each
    comes, numbers have no holes, and who begins one waits until there is room for it.
    """

    def __init__(
        self, *, newest_wins: bool, room: int, give_way: Callable[[_Done, _Done], _Done] = _new
    ) -> None:
        """``room``: things that may have been begun and not been taken. ``give_way``: what takes the place of a finished
        thing, from that and the next.
        """
        self._newest_wins, self._room, self._give_way = newest_wins, room, give_way
        lock = threading.Lock()
        self._come, self._gone = threading.Condition(lock), threading.Condition(lock)
        self._waiting: dict[int, Callable[[], _Done]] = {}
        self._finished: deque[_Done] = deque()
        self._last = -1
        self._finishing = self._ended = self._stopped = False
        self._begun = self._taken = 0
        self._failure: BaseException | None = None
        self.left_out = 0
        """Overtaken, given up, or replaced before they were taken."""

    def has_room(self) -> bool:
        """Whether another one may begin, waited for; False where nothing will be taken any more."""
        with self._gone:
            while not self._is_over() and self._begun - self._taken >= self._room:
                self._gone.wait(_POLL_S)
            if self._is_over():
                return False
            self._begun += 1
            return True

    def put(self, number: int, finish: Callable[[], _Done]) -> None:
        """Have ``finish`` called when it is this one's turn: by this thread or by another one that puts something.

        What ``finish`` raises is raised by ``take``, and nothing comes after it.
        """
        with self._come:
            self._waiting[number] = finish
            if self._finishing:
                return
            self._finishing = True
        while chosen := self._choose():
            self._finish(chosen)

    def fail(self, number: int, error: BaseException) -> None:
        """In place of ``put``: ``take`` raises it, of what does not give way after all before it."""
        if self._newest_wins:
            self._end_with(error)
            return

        def raising() -> _Done:
            raise error

        self.put(number, raising)

    def leave_out(self) -> None:
        """In place of ``put``, where the newest wins."""
        with self._come:
            self.left_out += 1

    def take(self, patience_s: float) -> _Done | None:
        """The next one, waited for; None after the last one or ``stop``. TimeoutError after ``patience_s`` without one."""
        waited_s = 0.0
        with self._come:
            while not self._finished and not self._ended and not self._is_over():
                if waited_s >= patience_s:
                    raise TimeoutError
                if not self._come.wait(_POLL_S):
                    waited_s += _POLL_S
            if self._stopped:
                return None
            if self._finished:
                self._taken += 1
                self._gone.notify()
                return self._finished.popleft()
            if self._failure:
                raise self._failure
            return None

    def end(self) -> None:
        """Nothing more will be put in; what is there can still be taken."""
        with self._come:
            self._ended = True
            self._come.notify_all()

    def stop(self) -> None:
        """Nobody waits any longer. Takes no lock, so that a signal's handler may call it."""
        self._stopped = True

    def _is_over(self) -> bool:
        return self._stopped or self._failure is not None

    def _choose(self) -> Callable[[], _Done] | None:
        """What is to be finished now; None where that is nothing: who puts in the next one looks again."""
        with self._come:
            found = None if self._is_over() else self._next()
            self._finishing = found is not None
            return found

    def _next(self) -> Callable[[], _Done] | None:
        if not self._newest_wins:
            found = self._waiting.pop(self._last + 1, None)
            self._last += found is not None
            return found
        for number in sorted(self._waiting):
            finish = self._waiting.pop(number)
            if number > self._last:
                self._last = number
                return finish
            self.left_out += 1
        return None

    def _finish(self, finish: Callable[[], _Done]) -> None:
        try:
            done = finish()
        except BaseException as error:  # noqa: BLE001
            self._end_with(error)
            return
        with self._come:
            if self._newest_wins and self._finished:
                self.left_out += 1
                done = self._give_way(self._finished.pop(), done)
            self._finished.append(done)
            self._come.notify()

    def _end_with(self, error: BaseException) -> None:
        with self._come:
            self._failure = self._failure or error
            self._come.notify_all()
            self._gone.notify_all()
