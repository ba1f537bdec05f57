"""Make what emulated devices need, each part once, whole or not at all; look what is there without making it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.catalog_schema import CpuCluster
from edgekit.devices import debian
from edgekit.devices.emulated import tools
from edgekit.devices.emulated.board import Board
from edgekit.devices.emulated.cores import ARM_CORES
from edgekit.devices.emulated.packages import PACKAGES, make_sysroot, pins, unpack_wheels
from edgekit.devices.emulated.plugin import CLEAN, make_plugin, plugin_key
from edgekit.devices.emulated.view import arm_python, make_view
from edgekit.errors import DeviceError, EnvironmentSetupError
from edgekit.paths import cache_dir
from edgekit.progress import Advance
from edgekit.staging import make_once

COMMAND = "edgekit device setup emulated"
_IMPORTS = "import numpy, onnxruntime, ai_edge_litert.interpreter, openvino"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """What was set up."""

    sysroot: Path
    site: Path
    """The Arm wheels, to stand on PYTHONPATH."""
    plugin: Path | None
    """None where nothing can be counted."""
    why_no_counts: str = ""


def find_emulation() -> Emulation:
    """What is set up; DeviceError with the next step where it is not. Makes nothing."""
    places = _places()
    if lacking := tools.missing(tools.QEMU_ARM):
        raise DeviceError(f"no {lacking[0]} to emulate with. Try: {tools.install_line(lacking)}")
    if not (places.sysroot.is_dir() and places.site.is_dir()):
        raise DeviceError(
            f"emulated devices are not set up for these versions of the runtimes. Try: {COMMAND}"
        )
    there = places.plugin.is_file()
    why = "" if there else f"the counting plugin is not there: {COMMAND} says why"
    return Emulation(
        sysroot=places.sysroot, site=places.site, plugin=places.plugin if there else None, why_no_counts=why
    )


def set_up(*, advance: Advance | None = None) -> Emulation:
    """Make what is missing, and say where it is. EnvironmentSetupError with the line that gets what lacks here."""
    tools.check_setup()
    places, steps = _places(), _Steps(advance)
    steps.begin("Debian's arm64 packages")
    make_once(places.sysroot, make_sysroot)
    steps.begin(f"wheels for aarch64: {', '.join(pins())}")
    make_once(places.site, lambda made, work: _checked_wheels(places.sysroot, made, work))
    steps.begin("the plugin that counts instructions")
    why = ""
    try:
        make_once(places.plugin, lambda made, work: make_plugin(made, arm_python(places.sysroot), work))
    except EnvironmentSetupError as error:
        why = str(error)
    return Emulation(
        sysroot=places.sysroot, site=places.site, plugin=None if why else places.plugin, why_no_counts=why
    )


@dataclass(frozen=True, slots=True)
class _Places:
    sysroot: Path
    site: Path
    plugin: Path


def _places() -> _Places:
    """Each name changes with what it is made of, so that none ever holds something else."""
    folder = cache_dir() / "emulated"
    return _Places(
        sysroot=folder / f"{debian.SUITE}-arm64-{_key(PACKAGES)}",
        site=folder / f"wheels-{_key([debian.PYTHON, *pins()])}",
        plugin=folder / f"counting-{plugin_key(tools.QEMU_ARM)}.so",
    )


def _key(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _checked_wheels(sysroot: Path, site: Path, work: Path) -> None:
    """The wheels, after each was imported once on an emulated core."""
    unpack_wheels(site, work)
    cluster = CpuCluster(core="Cortex-A72", cores=4)
    board = Board(
        name="", arch="aarch64", core=ARM_CORES[cluster.core], cluster=cluster, l3_bytes=None, ram_bytes=2**30
    )
    view = make_view(work / "view", sysroot, board)
    code = f"import sys; sys.path.append({str(site)!r}); {_IMPORTS}"
    debian.run(
        [*CLEAN, "ORT_DISABLE_TELEMETRY=1", *arm_python(view, board), "-c", code],
        "the runtimes' wheels for aarch64 do not work under this qemu",
    )


class _Steps:
    """Three of them."""

    def __init__(self, advance: Advance | None) -> None:
        self._advance, self._done = advance, 0

    def begin(self, doing: str) -> None:
        if self._advance:
            self._advance(self._done, 3, doing)
        self._done += 1
