"""``vm:<target>``: a virtual board as a device. It counts instructions; it has no clock worth reading."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from edgekit.catalog import load_catalog
from edgekit.devices.session import RunnerSession
from edgekit.devices.ssh import SshDevice
from edgekit.devices.ssh_address import SshAddress, split_options
from edgekit.devices.vm.machine import Hardware, Machine
from edgekit.devices.vm.setup import HOST_NAME, find_board
from edgekit.errors import DeviceError
from edgekit.vocabulary import MeasurementKind

SCHEME = "vm:"
INSTRUCTIONS_PER_MS = 1e6
"""The guest's clock goes on by a nanosecond with each instruction (``-icount shift=0``)."""
READY_TIMEOUT_S = 300.0
"""An emulated processor computes 20 to 100 times as slowly as this one, whose cores may be busy."""
_QEMU_CORE = re.compile(r"(cortex|neoverse)-[a-z]\d+(ae)?")
_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
_EXAMPLE = "such as vm:raspberry-pi-4 or vm:raspberry-pi-4?ram=256MB"


class VmDevice:
    """Boots when first needed, and is reached over ssh like any board."""

    kind: MeasurementKind = "emulated"

    def __init__(self, spec: str, *, told: Callable[[str], None] | None = None) -> None:
        """``vm:<target>?ram=256MB``; DeviceError where that is none, CatalogError where the target is unknown."""
        self.name = spec
        self._hardware = read_hardware(spec)
        self._told = told
        self._machine: Machine | None = None
        self._ssh: SshDevice | None = None

    @property
    def threads(self) -> int:
        """Of the one processor: instructions are counted on a single thread."""
        return 1

    def start(self, bundle_dir: Path, *, threads: int, keep_peaks: bool = False) -> RunnerSession:
        """Start a runner on the bundle. Raises DeviceError."""
        return self.ssh().start(bundle_dir, threads=threads, keep_peaks=keep_peaks)

    def close(self) -> None:
        """Switch the board off; may be called again."""
        try:
            if self._ssh is not None:
                self._ssh.close()
        finally:
            if self._machine is not None:
                self._machine.close()
            self._ssh = self._machine = None

    def ssh(self) -> SshDevice:
        """The board as whoever logs in sees it, booted where it is not. Raises DeviceError."""
        if self._ssh is None:
            self._machine = Machine(find_board(), self._hardware, name=self.name)
            self._ssh = SshDevice(
                SshAddress(host=HOST_NAME), name=self.name, kind=self.kind,
                instructions_per_ms=INSTRUCTIONS_PER_MS, ready_timeout_s=READY_TIMEOUT_S, client=self._machine.client,
                told=self._told,
            )  # fmt: skip
        return self._ssh


def read_hardware(spec: str) -> Hardware:
    """The core and memory of the target that ``vm:<target>`` names."""
    place, given = split_options(spec, ("ram",))
    target_id = place.removeprefix(SCHEME)
    catalog = load_catalog()
    target = catalog.target(target_id)
    if target.arch != "aarch64":
        raise DeviceError(f"'{spec}': the virtual board is a 64-bit Arm one, {target_id} is {target.arch}")
    fastest = catalog.profile(target.profile).cpu.clusters[0].core
    core = _QEMU_CORE.search(fastest.lower())
    if core is None:
        raise DeviceError(f"'{spec}': no QEMU emulates its core, {fastest}")
    ram = read_ram(given["ram"], spec) if "ram" in given else target.memory.ram_bytes
    return Hardware(core=core[0], ram_bytes=ram)


def read_ram(text: str, spec: str) -> int:
    """``256MB`` in bytes."""
    said = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MB|GB|MiB|GiB)", text)
    if not said:
        raise DeviceError(f"'{spec}': '{text}' is no amount of memory; write {_EXAMPLE}")
    return int(float(said[1]) * _UNITS[said[2]])
