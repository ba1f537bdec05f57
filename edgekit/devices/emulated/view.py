"""What an emulated Arm board says of itself: /proc and /sys as its own kernel shows them.

``qemu-aarch64 -L FOLDER`` redirects every path that exists under FOLDER. Without such a view, runtimes read the
x86 files of this machine: onnxruntime 1.32 crashes on import, others choose kernels for another core.
"""

from __future__ import annotations

from pathlib import Path

from edgekit.devices.debian import PYTHON
from edgekit.devices.emulated.board import Board
from edgekit.devices.emulated.cores import ArmCore
from edgekit.devices.emulated.tools import QEMU_ARM, path_of

_CPU = "sys/devices/system/cpu"


def make_view(folder: Path, sysroot: Path, board: Board) -> Path:
    """The new ``folder`` as root for ``qemu-aarch64 -L``: ``sysroot`` by links, with the files of ``board``, an Arm."""
    assert board.core is not None
    folder.mkdir(parents=True)
    for entry in sysroot.iterdir():
        (folder / entry.name).symlink_to(entry)
    for name, text in _files(board, board.core).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return folder


def arm_python(view: Path, board: Board | None = None) -> tuple[str, ...]:
    """The command of Python in the view (or a bare sysroot), on the board's core."""
    core = ("-cpu", board.core.qemu) if board and board.core else ()
    python = str(view / f"usr/bin/python{PYTHON}")
    return path_of(QEMU_ARM), "-L", str(view), *core, python, "-S"


def _files(board: Board, core: ArmCore) -> dict[str, str]:
    cores = board.cluster.cores
    everyone = f"0-{cores - 1}" if cores > 1 else "0"
    kilobytes = board.ram_bytes // 1024
    written = {
        "proc/cpuinfo": "\n".join(_block(core, index) for index in range(cores)),
        "proc/device-tree/model": board.name,
        # a board that has just started: a tenth is in use
        "proc/meminfo": "\n".join(
            f"{key + ':':<16}{value:>8} kB"
            for key, value in (
                ("MemTotal", kilobytes),
                ("MemFree", kilobytes * 9 // 10),
                ("MemAvailable", kilobytes * 9 // 10),
            )
        ),
        **{f"{_CPU}/{name}": everyone for name in ("possible", "present", "online")},
        f"{_CPU}/kernel_max": str(cores - 1),
    }
    for index in range(cores):
        written |= _cpu(f"{_CPU}/cpu{index}", board, core, index, everyone)
    return written


def _cpu(folder: str, board: Board, core: ArmCore, index: int, everyone: str) -> dict[str, str]:
    written = {
        f"{folder}/regs/identification/midr_el1": f"0x{core.midr:016x}",
        f"{folder}/topology/core_id": str(index),
        f"{folder}/topology/physical_package_id": "0",
        f"{folder}/topology/core_siblings_list": everyone,
        f"{folder}/topology/package_cpus_list": everyone,
        f"{folder}/topology/thread_siblings_list": str(index),
    }
    if board.cluster.clock_hz:
        written[f"{folder}/cpufreq/cpuinfo_max_freq"] = str(board.cluster.clock_hz // 1000)
        written[f"{folder}/cpufreq/cpuinfo_min_freq"] = "600000"
    shared = (str(index), everyone if board.cluster.l2_shared else str(index), everyone)
    for level, (size, ways) in enumerate(board.caches, 1):
        cache = f"{folder}/cache/index{level - 1}"
        written |= {
            f"{cache}/level": str(level),
            f"{cache}/type": "Data" if level == 1 else "Unified",
            f"{cache}/size": f"{size // 1024}K",
            f"{cache}/ways_of_associativity": str(ways),
            f"{cache}/coherency_line_size": "64",
            f"{cache}/number_of_sets": str(size // ways // 64),
            f"{cache}/shared_cpu_list": shared[level - 1],
        }
    return written


def _block(core: ArmCore, index: int) -> str:
    return (
        f"processor\t: {index}\nBogoMIPS\t: 108.00\nFeatures\t: {core.features}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x{core.variant:x}\nCPU part\t: 0x{core.part:03x}\n"
        f"CPU revision\t: {core.revision}\n"
    )
