"""Highest resident memory of this process by phase, from the kernel's own high-water mark.

Writing 5 to ``/proc/self/clear_refs`` sets the mark (VmHWM) back to what is resident now, so that each phase
has an exact peak of its own: no sampling that could miss it. Where the kernel does not offer that, the phases are
the mark's value at their ends, which never falls.

Under qemu-user the process is the emulator, whose own pages are no part of the program's memory; they are taken off.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

from .guest import foreign_bytes, is_guest

PEAKS = "kernel peak of each phase (VmHWM, reset between phases)"
CUMULATIVE = "kernel peak at the end of each phase (VmHWM, not reset)"
GUEST = ", less the emulator's own pages"


class PhaseMemory:
    """Peaks by phase, in bytes; ``base`` is what the process took before a model was opened."""

    def __init__(self, *, reset: bool) -> None:
        self._resets = reset and _reset_peak()
        self._guest = is_guest()
        self.peaks: dict[str, int] = {}

    @property
    def method(self) -> str:
        return (PEAKS if self._resets else CUMULATIVE) + (GUEST if self._guest else "")

    def begin(self) -> None:
        """Note what everything so far has taken as ``base``."""
        self.peaks["base"] = self._peak()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Take the block's peak into phase ``name``."""
        if self._resets:
            _reset_peak()
        try:
            yield
        finally:
            self.peaks[name] = max(self.peaks.get(name, 0), self._peak())

    def _peak(self) -> int:
        """The mark now. Of an emulated program a lower bound: at the peak the emulator may have had fewer pages."""
        peak = peak_bytes()
        return peak - foreign_bytes() if self._guest else peak


def peak_bytes() -> int:
    """The kernel's high-water mark of resident memory since the start or the last reset."""
    for line in _status().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status() -> str:
    try:
        return Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return ""


def _reset_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True
