"""This machine as a device."""

from __future__ import annotations

import os
from pathlib import Path

import edgekit.runner
from edgekit.devices.session import RunnerSession
from edgekit.devices.transport import LocalTransport
from edgekit.errors import DeviceError
from edgekit.vocabulary import MeasurementKind

RUNNER = Path(edgekit.runner.__file__).parent


class LocalDevice:
    """Runs bundles here, each in a process of its own."""

    name = "local"
    kind: MeasurementKind = "measured"

    def __init__(self, python: Path | None = None) -> None:
        self._python = python

    @property
    def threads(self) -> int:
        """One for each processor that this process may use."""
        return len(os.sched_getaffinity(0))

    def start(self, bundle_dir: Path, *, threads: int, keep_peaks: bool = False) -> RunnerSession:
        """Start a runner on the bundle, which is read in place. Raises DeviceError."""
        return start_runner(
            LocalTransport(self._python), bundle_dir, device=self.name, threads=threads, keep_peaks=keep_peaks
        )

    def close(self) -> None:
        """Nothing is kept between sessions."""


def start_runner(
    transport: LocalTransport, bundle_dir: Path, *, device: str, threads: int, keep_peaks: bool
) -> RunnerSession:
    """Start a runner on a bundle of this machine through ``transport``, which is closed with it. Raises DeviceError."""
    try:
        manifest_path(bundle_dir)
        transport.send(RUNNER, "runner")
        arguments = ["serve", str(bundle_dir.resolve()), "--threads", str(threads)]
        process = transport.start(
            "runner", [*arguments, *(["--keep-peaks"] if keep_peaks else [])], threads=threads
        )
    except BaseException:
        transport.close()
        raise
    return RunnerSession(transport, process, where=f"{bundle_dir.name} on {device}")


def manifest_path(bundle_dir: Path) -> Path:
    """The bundle's manifest; DeviceError where the folder is no bundle."""
    path = bundle_dir / "manifest.json"
    if not path.is_file():
        raise DeviceError(f"{bundle_dir}: not a bundle: it holds no manifest.json")
    return path
