"""What an emulated Arm core says of itself: /proc and /sys as a board with that core shows them.

``qemu-aarch64 -L FOLDER`` redirects every path that exists under FOLDER. Without such a view, runtimes read the
x86 files of this machine: onnxruntime 1.32 crashes on import, others choose kernels for another core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CPUS = 4
_CPU = "sys/devices/system/cpu"
_BASE = "fp asimd evtstrm crc32 cpuid"
_WIDE = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A core that QEMU emulates: its identification and what Linux lists as its features."""

    part: int
    """Part number in MIDR_EL1, as each core's technical reference manual states it; the implementer is Arm."""
    variant: int
    revision: int
    features: str

    @property
    def midr(self) -> int:
        return 0x41 << 24 | self.variant << 20 | 0xF << 16 | self.part << 4 | self.revision


CORES: Mapping[str, Core] = {
    "cortex-a53": Core(part=0xD03, variant=0, revision=4, features=_BASE),
    "cortex-a72": Core(part=0xD08, variant=0, revision=3, features=_BASE),
    "cortex-a76": Core(part=0xD0B, variant=4, revision=1, features=_WIDE),
}


def make_view(folder: Path, sysroot: Path, core: str) -> Path:
    """The root for ``qemu-aarch64 -L``: ``sysroot`` by links, with the files of four cores of the kind."""
    folder.mkdir(parents=True)
    for entry in sysroot.iterdir():
        (folder / entry.name).symlink_to(entry)
    for name, text in _files(CORES[core]).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return folder


def _files(core: Core) -> dict[str, str]:
    everyone = f"0-{CPUS - 1}"
    written = {
        "proc/cpuinfo": "\n".join(_block(core, index) for index in range(CPUS)),
        "proc/meminfo": "MemTotal:        4000000 kB\nMemFree:         3000000 kB\nMemAvailable:    3000000 kB",
        **{f"{_CPU}/{name}": everyone for name in ("possible", "present", "online")},
        f"{_CPU}/kernel_max": str(CPUS - 1),
    }
    for index in range(CPUS):
        cpu = f"{_CPU}/cpu{index}"
        written |= {
            f"{cpu}/regs/identification/midr_el1": f"0x{core.midr:016x}",
            f"{cpu}/cpufreq/cpuinfo_max_freq": "1500000",
            f"{cpu}/cpufreq/cpuinfo_min_freq": "600000",
            f"{cpu}/topology/core_id": str(index),
            f"{cpu}/topology/physical_package_id": "0",
            f"{cpu}/topology/core_siblings_list": everyone,
            f"{cpu}/topology/package_cpus_list": everyone,
            f"{cpu}/topology/thread_siblings_list": str(index),
        }
    return written


def _block(core: Core, index: int) -> str:
    return (
        f"processor\t: {index}\nBogoMIPS\t: 108.00\nFeatures\t: {core.features}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x{core.variant:x}\nCPU part\t: 0x{core.part:03x}\n"
        f"CPU revision\t: {core.revision}\n"
    )
