"""A program's own pages and those of an emulator around it."""

from __future__ import annotations

import numpy as np

from edgekit.runner.guest import foreign_bytes, is_guest, parse

SMAPS = """\
5500000000-5500400000 r-xp 00000000 fe:00 12 /cache/root/usr/bin/python3.11
Size:               4096 kB
Rss:                1024 kB
Pss:                1024 kB
VmFlags: rd ex mr mw me sd
5500800000-5501000000 rw-p 00000000 00:00 0
Size:               8192 kB
Rss:                   8 kB
7f0000000000-7f0000100000 r-xp 00001000 fe:00 99 /usr/bin/qemu with blanks
Rss:                 512 kB
"""


def test_smaps_are_read() -> None:
    python, heap, emulator = parse(SMAPS.splitlines())
    assert (python.start, python.end, python.rss_bytes) == (0x5500000000, 0x5500400000, 1024 * 1024)
    assert python.file == "/cache/root/usr/bin/python3.11"
    assert (heap.file, heap.rss_bytes) == ("", 8192)
    assert (emulator.file, emulator.rss_bytes) == ("/usr/bin/qemu with blanks", 512 * 1024)


def test_here_nothing_is_foreign() -> None:
    """Natively both of the kernel's lists are the same, whatever is mapped."""
    kept = [np.ones(10_000_000) for _ in range(3)]
    assert not is_guest()
    assert foreign_bytes() < 64 * 1024, "the page of [vsyscall] at most"
    assert kept
