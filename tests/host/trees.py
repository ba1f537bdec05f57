"""Recorded machines: a folder tree with the files of /proc and /sys that edgekit reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

CPUINFO = Path(__file__).with_name("cpuinfo")
_CPUS = "sys/devices/system/cpu"


def recorded(name: str) -> str:
    """The text of /proc/cpuinfo of a machine."""
    return (CPUINFO / f"{name}.txt").read_text()


def machine_tree(root: Path, name: str, files: Mapping[str, str] | None = None) -> Path:
    """Write the machine ``name`` with 8 GB of memory, and ``files`` (path below root -> content), to ``root``."""
    written = {
        "proc/cpuinfo": recorded(name),
        "proc/meminfo": "MemTotal:        8000000 kB\nMemFree: 1 kB\n",
        **(files or {}),
    }
    for path, content in written.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")
    return root


def max_clock(processors: Iterable[int], khz: int) -> dict[str, str]:
    return {f"{_CPUS}/cpu{index}/cpufreq/cpuinfo_max_freq": str(khz) for index in processors}


def governors(processors: Iterable[int], name: str) -> dict[str, str]:
    return {f"{_CPUS}/cpu{index}/cpufreq/scaling_governor": name for index in processors}


def topology(cores: Mapping[int, int]) -> dict[str, str]:
    """Logical processor -> core, all in package 0."""
    return {
        f"{_CPUS}/cpu{index}/topology/{key}": str(value)
        for index, core in cores.items()
        for key, value in (("core_id", core), ("physical_package_id", 0))
    }


def caches(processors: Iterable[int], table: Iterable[tuple[int, str, str, str]]) -> dict[str, str]:
    """For each processor the caches of ``table``: level, type, size, processors that share it ("" for its own)."""
    written: dict[str, str] = {}
    for index in processors:
        for number, (level, kind, size, shared) in enumerate(table):
            folder = f"{_CPUS}/cpu{index}/cache/index{number}"
            facts = {"level": str(level), "type": kind, "size": size, "shared_cpu_list": shared or str(index)}
            written |= {f"{folder}/{key}": value for key, value in facts.items()}
    return written
