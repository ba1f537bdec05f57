"""Tell a program's own pages from those of an emulator around it.

qemu-user answers ``/proc/self/maps`` with the mappings of the program it runs, and lets every other path through:
``/proc/self/task/PID/smaps`` is the kernel's list of all of the process, the emulator's included. On a real machine
both list the same.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class _Mapping(NamedTuple):
    start: int
    end: int
    file: str
    rss_bytes: int = 0


def is_guest() -> bool:
    """Whether an emulator runs this program: a file is mapped that the program does not see."""
    seen = _Ranges(_read("/proc/self/maps"))
    kernel = _read(f"/proc/self/task/{os.getpid()}/maps")
    return any(mapping.file.startswith("/") and not seen.hold(mapping) for mapping in kernel)


def foreign_bytes() -> int:
    """Resident bytes of the process that are not the program's."""
    seen = _Ranges(_read("/proc/self/maps"))
    kernel = _read(f"/proc/self/task/{os.getpid()}/smaps")
    return sum(mapping.rss_bytes for mapping in kernel if not seen.hold(mapping))


class _Ranges:
    """Address ranges, sorted as the kernel lists them."""

    def __init__(self, mappings: Iterable[_Mapping]) -> None:
        self._ranges = sorted((mapping.start, mapping.end) for mapping in mappings)
        self._starts = [start for start, _ in self._ranges]

    def hold(self, mapping: _Mapping) -> bool:
        """Whether any of it lies in a range: neighbours may be listed as one here, and as several there."""
        place = bisect_right(self._starts, mapping.end - 1) - 1
        return place >= 0 and self._ranges[place][1] > mapping.start


def _read(path: str) -> Iterator[_Mapping]:
    """The mappings in a maps or smaps file; none where it cannot be read."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as lines:
            yield from parse(lines)
    except OSError:
        return


def parse(lines: Iterable[str]) -> Iterator[_Mapping]:
    """``start-end perms offset device inode file``, and in smaps below each its ``Rss:`` in kB."""
    found = None
    for line in lines:
        first, _, rest = line.partition(" ")
        if first == "Rss:" and found:
            found = found._replace(rss_bytes=int(rest.split()[0]) * 1024)
        elif "-" in first and not first.endswith(":"):
            if found:
                yield found
            start, end = (int(part, 16) for part in first.split("-"))
            fields = rest.split(maxsplit=4)
            found = _Mapping(start, end, fields[4].strip() if len(fields) > 4 else "")
    if found:
        yield found
