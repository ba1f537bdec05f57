"""Resident memory by phase: the kernel's own peaks, or samples from outside where it offers none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from edgekit.devices import RunnerSession
from edgekit.profiling.record import MemoryRecord

RESETS = "reset between phases"
GUEST = "less the emulator's own pages"
_INTERVAL_S = 0.004
SAMPLED = "resident memory sampled from outside every 4 ms"


class PhaseMemory:
    """Follows one runner through its phases; the runner tells exact peaks where its kernel lets it."""

    def __init__(self, session: RunnerSession) -> None:
        self._session = session
        pid = session.process.pid
        method = session.memory()["method"]
        # of an emulated program only the runner can tell which pages are its own
        exact = RESETS in method or GUEST in method
        self._sampled = psutil.Process(pid) if pid is not None and not exact else None
        self._peaks: dict[str, int] = {}
        with self.phase("base"):
            pass

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Everything that the runner does within is phase ``name``."""
        if self._sampled is None:
            yield
            return
        ended = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(self._sampled, name, ended))
        sampler.start()
        try:
            yield
        finally:
            ended.set()
            sampler.join()

    def record(self) -> MemoryRecord:
        """All phases so far; ``kernel_peak`` is for another process to tell, whose peak is not reset."""
        told = self._session.memory()
        phases: dict[str, int] = {**told["phases"], **self._peaks}
        return MemoryRecord(
            base=phases["base"],
            load=phases["load"],
            first=phases["first"],
            steady=phases["steady"],
            # between two samples there may have been more: the kernel's peak has not missed it
            peak=max(*phases.values(), int(told["peak"])),
            kernel_peak=None,
            method=SAMPLED if self._sampled else str(told["method"]),
        )

    def _sample(self, process: psutil.Process, name: str, ended: threading.Event) -> None:
        """Look, then wait: a blocking wait takes no processor time from what is measured."""
        while True:
            try:
                resident = int(process.memory_info().rss)
            except psutil.NoSuchProcess:  # the session reports how it ended
                return
            self._peaks[name] = max(self._peaks.get(name, 0), resident)
            if ended.wait(_INTERVAL_S):
                return
