"""The machine that is emulated: what a target and its profile say of it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.catalog import Catalog
from edgekit.catalog_schema import CpuCluster, Profile, Target
from edgekit.devices.emulated.cores import ARM_CORES, X86_FEATURES, X86_WITHOUT_VNNI, ArmCore, arm_core
from edgekit.errors import DeviceError
from edgekit.host import detect
from edgekit.vocabulary import Arch, IsaFeature

SCHEME = "emulated:"
CORES = (X86_WITHOUT_VNNI.lower(), *(core.qemu for core in ARM_CORES.values()))
"""What may stand in the place of a target: a processor alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One cluster of equal cores and their memory."""

    name: str
    arch: Arch
    core: ArmCore | None
    """None on x86."""
    cluster: CpuCluster
    l3_bytes: int | None
    ram_bytes: int

    @property
    def caches(self) -> tuple[tuple[int, int], ...]:
        """Bytes and ways of the data caches from the nearest on; empty where the profile has not the first two."""
        sizes = (self.cluster.l1d_bytes, self.cluster.l2_bytes, self.l3_bytes)
        if self.core is None or sizes[0] is None or sizes[1] is None:
            return ()
        return tuple((size, ways) for size, ways in zip(sizes, self.core.ways, strict=True) if size)


def find_board(name: str, catalog: Catalog) -> Board:
    """The board of target ``name``, of the profile where no target is called so, or one with the core ``name`` (``CORES``).

    CatalogError where there is none of them; DeviceError where QEMU has no such core, or its runtimes are no Linux wheels.
    """
    if name == X86_WITHOUT_VNNI.lower():
        return _haswell()
    if named := next((core for core in ARM_CORES.values() if core.qemu == name), None):
        name = named.board
    if name in catalog.profiles and name not in catalog.targets:
        profile = catalog.profile(name)
        return _arm(name, profile, profile.cpu.isa_features, profile.memory.ram_bytes)
    target = catalog.target(name)
    if target.os != "linux":
        raise DeviceError(
            f"{SCHEME}{name}: it runs {target.os}, and emulation runs the wheels of Linux; a target with the same "
            f"core and Linux can stand for it: edgekit targets ls"
        )
    profile = catalog.profile(target.profile)
    if target.arch == "x86_64":
        return _x86(target, profile)
    return _arm(name, profile, target.isa_features, target.memory.ram_bytes)


def _arm(name: str, profile: Profile, features: tuple[IsaFeature, ...], ram_bytes: int) -> Board:
    cluster = profile.cpu.clusters[0]  # the fastest, where inference runs
    core = arm_core(cluster.core)
    if core is None:
        raise DeviceError(
            f"{SCHEME}{name}: its core is {cluster.core} (profile '{profile.id}'); those that can be emulated are "
            f"{', '.join(ARM_CORES)}"
        )
    if beyond := sorted(set(features) - core.isa_features):
        raise DeviceError(
            f"{SCHEME}{name}: {', '.join(beyond)} stands in its isa_features, and a {cluster.core} has no such thing"
        )
    return Board(
        name=profile.name,
        arch="aarch64",
        core=core,
        cluster=cluster,
        l3_bytes=profile.cpu.l3_bytes,
        ram_bytes=ram_bytes,
    )


def _haswell() -> Board:
    """This machine's memory, and the processor of 2013."""
    cluster = CpuCluster(core=X86_WITHOUT_VNNI, cores=4)
    ram_bytes = detect().ram_bytes
    return Board(
        name=X86_WITHOUT_VNNI, arch="x86_64", core=None, cluster=cluster, l3_bytes=None, ram_bytes=ram_bytes
    )


def _x86(target: Target, profile: Profile) -> Board:
    if beyond := sorted(set(target.isa_features) - X86_FEATURES):
        raise DeviceError(
            f"{SCHEME}{target.id}: of x86 only processors with AVX2 and nothing later are emulated; it has "
            f"{', '.join(beyond)}. This machine can run its bundles: --on local"
        )
    return Board(
        name=profile.name,
        arch="x86_64",
        core=None,
        cluster=profile.cpu.clusters[0],
        l3_bytes=profile.cpu.l3_bytes,
        ram_bytes=target.memory.ram_bytes,
    )
