"""An emulated board as a device: the runner under qemu-user, in the board's own view of itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from edgekit.catalog import Catalog, load_catalog
from edgekit.devices.emulated import tools
from edgekit.devices.emulated.board import SCHEME, Board, find_board
from edgekit.devices.emulated.cores import X86_WITHOUT_VNNI
from edgekit.devices.emulated.plugin import plugin_option
from edgekit.devices.emulated.setup import Emulation, find_emulation
from edgekit.devices.emulated.view import arm_python, make_view
from edgekit.devices.local import start_runner
from edgekit.devices.session import RunnerSession
from edgekit.devices.transport import LocalTransport
from edgekit.errors import DeviceError
from edgekit.host import detect
from edgekit.vocabulary import MeasurementKind

COUNTS = "EDGEKIT_COUNTS"
"""Tells the runner where the plugin writes."""


def open_emulated(spec: str, catalog: Catalog | None = None) -> EmulatedDevice:
    """The board that ``emulated:ID`` names. DeviceError where it cannot be emulated or nothing is set up."""
    board = find_board(spec.removeprefix(SCHEME), catalog or load_catalog(told=lambda message: None))
    if board.arch == "x86_64":
        if detect().arch != "x86_64":
            raise DeviceError(f"{spec}: this machine is no x86, whose own packages run there")
        if lacking := tools.missing(tools.QEMU_X86):
            raise DeviceError(f"{spec}: no {lacking[0]} to emulate with. Try: {tools.install_line(lacking)}")
        return EmulatedDevice(spec, board, None)
    return EmulatedDevice(spec, board, find_emulation())


class EmulatedDevice:
    """Runs bundles on an emulated core; a time taken there means nothing, an answer and a count do."""

    kind: MeasurementKind = "emulated"

    def __init__(self, name: str, board: Board, emulation: Emulation | None) -> None:
        """``emulation``: what was set up; None for x86, which runs this very Python and counts nothing."""
        self.name = name
        self.board = board
        self._emulation = emulation

    @property
    def threads(self) -> int:
        """One: several take turns on the emulator, and nothing is counted."""
        return 1

    def start(
        self, bundle_dir: Path, *, threads: int, keep_peaks: bool = False, counting: bool = False
    ) -> RunnerSession:
        """Start a runner on the bundle, which is read in place. Raises DeviceError.

        ``counting``: with the plugin, where there is one; it doubles the start.
        """
        transport = EmulatedTransport(self.board, self._emulation, counting=counting)
        return start_runner(transport, bundle_dir, device=self.name, threads=threads, keep_peaks=keep_peaks)

    def close(self) -> None:
        """Nothing is kept between sessions."""

    @property
    def why_no_counts(self) -> str:
        """Why no instructions are counted; empty where they are."""
        return self._emulation.why_no_counts if self._emulation else "nothing is counted on an emulated x86"


class EmulatedTransport(LocalTransport):
    """This machine's files, and processes under an emulator."""

    def __init__(self, board: Board, emulation: Emulation | None, *, counting: bool) -> None:
        super().__init__()
        self._board = board
        self._emulation = emulation
        self._plugin = emulation.plugin if emulation and counting else None

    def _python(self) -> Sequence[str]:
        if self._emulation is None:
            return tools.path_of(tools.QEMU_X86), "-cpu", X86_WITHOUT_VNNI, sys.executable
        view = make_view(self._work / "view", self._emulation.sysroot, self._board)
        qemu, *rest = arm_python(view, self._board)
        if self._plugin is None:
            return qemu, *rest
        return qemu, *plugin_option(self._plugin, self._counts, self._board.caches), *rest

    def _environment(self, home: Path, threads: int) -> dict[str, str]:
        given = super()._environment(home, threads)
        # counts that repeat: Python's dictionaries in the same order each time
        given["PYTHONHASHSEED"] = "0"
        # and nothing compiled in one start that the next one finds
        given["PYTHONDONTWRITEBYTECODE"] = "1"
        if self._emulation is not None:
            given.pop("LD_LIBRARY_PATH", None)  # libraries of this machine
            given["PYTHONPATH"] = str(self._emulation.site)
        if self._plugin:
            given[COUNTS] = str(self._counts)
        return given

    @property
    def _counts(self) -> Path:
        return self._work / "counts"
