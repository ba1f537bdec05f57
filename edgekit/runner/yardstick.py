"""A fixed piece of work, timed beside the artifact: how fast was the processor itself just then?

Two measurements from different days differ by clock and heat, too. The yardstick tells how much.
"""

from __future__ import annotations

import hashlib
import time

_WORK = bytes(512 * 1024)  # within the level-2 cache of small boards
_REPEATS = 5


def yardstick_ms() -> float:
    """Best of five processor times of the same arithmetic on one thread, in ms."""
    return min(_once() for _ in range(_REPEATS))


def _once() -> float:
    started = time.thread_time()
    hashlib.sha256(_WORK).digest()
    return (time.thread_time() - started) * 1000
