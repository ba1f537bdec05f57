"""Read the kernel's tables of processors: topology, clocks, caches and limits. Absent files are no facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    level: int
    size_bytes: int
    processors: frozenset[int]
    """The logical processors that share it."""


def read_text(path: Path) -> str | None:
    """The file's content without white space around it; None where it is absent or may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def parse_list(text: str) -> frozenset[int]:
    """A kernel's list of processors: ``0-3,8`` -> {0, 1, 2, 3, 8}."""
    ranges = (part.partition("-") for part in text.split(",") if part.strip())
    return frozenset(index for low, _, high in ranges for index in range(int(low), int(high or low) + 1))


def core_of(root: Path, processor: int) -> tuple[int, int]:
    """Package and core of a logical processor; hardware threads of one core have the same."""
    topology = _folder(root, processor) / "topology"
    package, core = read_text(topology / "physical_package_id"), read_text(topology / "core_id")
    return (0, processor) if core is None else (int(package or 0), int(core))


def max_clock_hz(root: Path, processor: int) -> int | None:
    """Highest clock the frequency driver allows; None where there is none, as in most virtual machines."""
    khz = read_text(_folder(root, processor) / "cpufreq" / "cpuinfo_max_freq")
    return int(khz) * 1000 if khz else None


def governor(root: Path, processor: int) -> str | None:
    """The frequency governor's name, such as ``performance`` or ``schedutil``."""
    return read_text(_folder(root, processor) / "cpufreq" / "scaling_governor")


def data_caches(root: Path, processor: int) -> Iterator[Cache]:
    """Data and unified caches of a logical processor, from the nearest on."""
    for folder in sorted(_folder(root, processor).glob("cache/index*")):
        level, size = read_text(folder / "level"), read_text(folder / "size")
        if level and size and read_text(folder / "type") != "Instruction":
            shared = read_text(folder / "shared_cpu_list") or str(processor)
            yield Cache(level=int(level), size_bytes=_bytes(size), processors=parse_list(shared))


def ram_bytes(root: Path) -> int:
    """Memory this process may use: the machine's, or less where its control group has a limit."""
    lines = (read_text(root / "proc/meminfo") or "").splitlines()
    total = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
    limits = (root / "sys/fs/cgroup/memory.max", root / "sys/fs/cgroup/memory/memory.limit_in_bytes")
    given = [int(text) for text in map(read_text, limits) if text and text.isdigit()]
    return min([total, *given])


def cpu_quota(root: Path) -> float | None:
    """Processors' worth of time that the control group grants (a container's ``--cpus``); None: no limit."""
    quota, _, period = (read_text(root / "sys/fs/cgroup/cpu.max") or "").partition(" ")
    if not period:
        first = root / "sys/fs/cgroup/cpu"
        quota, period = (read_text(first / f"cpu.cfs_{word}_us") or "" for word in ("quota", "period"))
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _folder(root: Path, processor: int) -> Path:
    return root / f"sys/devices/system/cpu/cpu{processor}"


def _bytes(text: str) -> int:
    return int(text[:-1]) * _UNITS[text[-1]] if text[-1] in _UNITS else int(text)
