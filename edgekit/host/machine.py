"""Put together what the kernel says about this machine's processors and memory."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import CatalogError
from edgekit.host import sysfs
from edgekit.host.cpuinfo import Processor, common_features, parse_cpuinfo
from edgekit.vocabulary import Arch, IsaFeature

ROOT = Path("/")
VNNI: frozenset[IsaFeature] = frozenset({"avx-vnni", "avx512-vnni", "amx-int8"})
"""Any of these sums 8-bit products in 32 bits; before them x86 did so in 16, where two large ones saturate."""
_ARCHES: Mapping[str, Arch] = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "armv7l": "armv7l",
    "armv8l": "armv7l",  # a 32-bit process on a 64-bit Arm kernel
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Cores of one kind."""

    core: str
    cores: int
    clock_hz: int | None
    l1d_bytes: int | None
    l2_bytes: int | None
    l2_shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is known of the machine, as far as inference goes."""

    arch: Arch
    clusters: tuple[Cluster, ...]
    """The fastest first."""
    isa_features: tuple[IsaFeature, ...]
    l3_bytes: int | None
    ram_bytes: int
    threads: int
    """Physical cores this process may use."""

    @property
    def cpu(self) -> str:
        """``4x Cortex-A76 + 4x Cortex-A55``; the model name alone where all cores are of one kind on x86."""
        if self.arch == "x86_64" and len(self.clusters) == 1:
            return self.clusters[0].core
        return " + ".join(f"{cluster.cores}x {cluster.core}" for cluster in self.clusters)

    @property
    def exact_int8(self) -> bool:
        """Whether u8 x s8 products are summed exactly: always on Arm, on x86 with VNNI."""
        return self.arch != "x86_64" or not VNNI.isdisjoint(self.isa_features)


def detect(root: Path = ROOT, *, machine: str | None = None, allowed: Iterable[int] | None = None) -> Machine:
    """Read the machine below ``root``; ``machine`` as uname says it, ``allowed`` the processors one may use.

    CatalogError where it is none that edgekit knows.
    """
    arch = _arch(machine or platform.machine())
    processors = parse_cpuinfo(sysfs.read_text(root / "proc/cpuinfo") or "", arch)
    if not processors:
        raise CatalogError("/proc/cpuinfo names no processor; use a target other than 'host'")
    usable = frozenset(allowed if allowed is not None else os.sched_getaffinity(0))
    return Machine(
        arch=arch,
        clusters=_clusters(root, processors),
        isa_features=common_features(processors),
        l3_bytes=_l3_bytes(root, processors),
        ram_bytes=sysfs.ram_bytes(root),
        threads=_threads(root, processors, usable),
    )


def _arch(machine: str) -> Arch:
    arch = _ARCHES.get(machine.lower())
    if arch is None:
        raise CatalogError(f"this machine is of architecture '{machine}'; edgekit knows {', '.join(_ARCHES)}")
    return "armv7l" if arch == "aarch64" and sys.maxsize < 2**32 else arch


def _clusters(root: Path, processors: Sequence[Processor]) -> tuple[Cluster, ...]:
    kinds: dict[tuple[str, int | None, int | None], list[Processor]] = {}
    for processor in processors:
        clock = sysfs.max_clock_hz(root, processor.index)
        kinds.setdefault((processor.core, clock, _l2_bytes(root, processor)), []).append(processor)
    found = [_cluster(root, clock, members) for (_, clock, _), members in kinds.items()]
    return tuple(sorted(found, key=lambda cluster: -(cluster.clock_hz or 0)))


def _cluster(root: Path, max_clock_hz: int | None, members: Sequence[Processor]) -> Cluster:
    first = members[0]
    caches = {cache.level: cache for cache in sysfs.data_caches(root, first.index)}
    l1, l2 = caches.get(1), caches.get(2)
    return Cluster(
        core=first.core,
        cores=_cores(root, (member.index for member in members)),
        clock_hz=max_clock_hz or max((member.clock_hz or 0 for member in members), default=0) or None,
        l1d_bytes=l1.size_bytes if l1 else None,
        l2_bytes=l2.size_bytes if l2 else None,
        l2_shared=bool(l2) and _cores(root, l2.processors if l2 else ()) > 1,
    )


def _l2_bytes(root: Path, processor: Processor) -> int | None:
    return next((c.size_bytes for c in sysfs.data_caches(root, processor.index) if c.level == 2), None)


def _l3_bytes(root: Path, processors: Sequence[Processor]) -> int | None:
    """All last-level caches together, each counted once."""
    caches = (cache for processor in processors for cache in sysfs.data_caches(root, processor.index))
    sizes = {cache.processors: cache.size_bytes for cache in caches if cache.level == 3}
    return sum(sizes.values()) or None


def _cores(root: Path, processors: Iterable[int]) -> int:
    return len({sysfs.core_of(root, processor) for processor in processors})


def _threads(root: Path, processors: Sequence[Processor], usable: frozenset[int]) -> int:
    cores = _cores(root, (item.index for item in processors if item.index in usable)) or 1
    quota = sysfs.cpu_quota(root)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))
