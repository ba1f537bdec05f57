"""What a device offers, and how its name becomes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edgekit.devices.local import LocalDevice
from edgekit.devices.session import RunnerSession
from edgekit.devices.ssh import SshDevice
from edgekit.devices.ssh_address import SshAddress
from edgekit.devices.vm.device import VmDevice
from edgekit.errors import DeviceError
from edgekit.vocabulary import PREDICTED, MeasurementKind


class Device(Protocol):
    """A place where bundles run."""

    @property
    def name(self) -> str:
        """As the user names it, e.g. ``local``."""

    @property
    def kind(self) -> MeasurementKind:
        """What a time taken here is."""

    @property
    def threads(self) -> int:
        """What inference gets unasked: one for each processor of the device. Raises DeviceError."""

    def start(self, bundle_dir: Path, *, threads: int, keep_peaks: bool = False) -> RunnerSession:
        """Start a runner on the bundle; close the session, or use it in ``with``. Raises DeviceError.

        ``keep_peaks``: the kernel's memory peak is left to run over all phases.
        """

    def close(self) -> None:
        """Leave nothing behind on the device; may be called again."""


def open_device(spec: str, *, told: Callable[[str], None] | None = None) -> Device:
    """The device that ``spec`` names; DeviceError lists what there is.

    ``told`` hears what a user should know and is no answer, such as what is sent to a board. Close it at the end.
    """
    if spec == "local":
        return LocalDevice()
    if spec.startswith("ssh://"):
        return SshDevice(SshAddress.parse(spec), name=spec.partition("?")[0], told=told)
    if spec.startswith("emulated:"):
        from edgekit.devices.emulated import open_emulated

        return open_emulated(spec)
    if spec.startswith(PREDICTED):
        raise DeviceError(
            f"'{spec}': nothing runs there; edgekit estimate MODEL --on {spec} predicts its latency"
        )
    if spec.startswith("vm:"):
        return VmDevice(spec, told=told)
    raise DeviceError(
        f"'{spec}': no such device. Known: local (this machine), ssh://user@host (a board), emulated:TARGET (its "
        "processor, emulated), vm:TARGET (a virtual one)"
    )
