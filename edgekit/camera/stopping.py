"""Ctrl-C and SIGTERM end a run in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from edgekit.camera.pipeline import Pipeline


@contextmanager
def stopped_by_signals(pipelines: Sequence[Pipeline], *, repeat: bool = False) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run; files are whole and the summary follows. A second one ends the process.

    ``repeat``: half a run is worth nothing; raise KeyboardInterrupt once the threads have ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _: object) -> None:
        stopped.append(number)
        for pipeline in pipelines:
            pipeline.stop()
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped and repeat:
        raise KeyboardInterrupt
