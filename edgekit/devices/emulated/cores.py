"""Cores that QEMU emulates with all they have and nothing they lack.

``-cpu max`` is none of them: that of QEMU 7.2 answers some int8 models wrongly, and no board has such a core.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.vocabulary import IsaFeature


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCore:
    """A core by its name in profiles: how QEMU calls it, and how it identifies itself."""

    qemu: str
    part: int
    """Part number in MIDR_EL1, as each core's technical reference manual states it; the implementer is Arm."""
    variant: int
    revision: int
    features: str
    """As Linux lists them in /proc/cpuinfo."""
    isa_features: frozenset[IsaFeature]
    board: str
    """A profile whose first cluster has it: its caches and memory where a core is named and no board."""
    ways: tuple[int, int, int]
    """Of the level 1 data cache, of level 2 and level 3, as the same manuals state them; 16 where there is no L3."""

    @property
    def midr(self) -> int:
        return 0x41 << 24 | self.variant << 20 | 0xF << 16 | self.part << 4 | self.revision


_BASE = "fp asimd evtstrm crc32 cpuid"
_WIDE = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
_NARROW_ISA: frozenset[IsaFeature] = frozenset({"neon"})
_WIDE_ISA: frozenset[IsaFeature] = frozenset({"neon", "fp16", "dotprod"})

ARM_CORES: Mapping[str, ArmCore] = {
    "Cortex-A53": ArmCore(
        qemu="cortex-a53", part=0xD03, variant=0, revision=4, features=_BASE,
        isa_features=_NARROW_ISA, board="raspberry-pi-3", ways=(4, 16, 16),
    ),
    "Cortex-A72": ArmCore(
        qemu="cortex-a72", part=0xD08, variant=0, revision=3, features=_BASE,
        isa_features=_NARROW_ISA, board="raspberry-pi-4", ways=(2, 16, 16),
    ),
    "Cortex-A76": ArmCore(
        qemu="cortex-a76", part=0xD0B, variant=4, revision=1, features=_WIDE,
        isa_features=_WIDE_ISA, board="raspberry-pi-5", ways=(4, 8, 16),
    ),
}  # fmt: skip

X86_WITHOUT_VNNI = "Haswell"
"""AVX2 and FMA, and sums of 8-bit products that saturate."""
X86_FEATURES: frozenset[IsaFeature] = frozenset({"sse4.2", "avx", "avx2", "fma", "f16c"})


def arm_core(name: str) -> ArmCore | None:
    """The core that a profile names, e.g. ``Kryo 485 Gold (Cortex-A76)``; None where QEMU 7.2 has none like it."""
    found = re.search(r"Cortex-A\d+\w*", name)
    return ARM_CORES.get(found[0]) if found else None
