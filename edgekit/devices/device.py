"""What a device offers, and how its name becomes one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from edgekit.devices.local import LocalDevice
from edgekit.devices.session import RunnerSession
from edgekit.errors import DeviceError
from edgekit.vocabulary import MeasurementKind


class Device(Protocol):
    """A place where bundles run."""

    @property
    def name(self) -> str:
        """As the user names it, e.g. ``local``."""

    @property
    def kind(self) -> MeasurementKind:
        """What a time taken here is."""

    def start(self, bundle_dir: Path, *, threads: int, keep_peaks: bool = False) -> RunnerSession:
        """Start a runner on the bundle; close the session, or use it in ``with``. Raises DeviceError.

        ``keep_peaks``: the kernel's memory peak is left to run over all phases.
        """


def open_device(spec: str) -> Device:
    """The device that ``spec`` names; DeviceError lists what there is."""
    if spec == "local":
        return LocalDevice()
    if spec.startswith("emulated:"):
        from edgekit.devices.emulated import open_emulated

        return open_emulated(spec)
    if spec.startswith("predicted:"):
        raise DeviceError(
            f"'{spec}': nothing runs there; edgekit estimate MODEL --on {spec} predicts its latency"
        )
    raise DeviceError(f"'{spec}': no such device. Known: local (this machine), emulated:TARGET")
