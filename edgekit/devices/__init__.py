"""Devices: where a bundle runs. A device is a transport with facts; the runner on it is the same everywhere."""

from edgekit.devices.device import Device, open_device
from edgekit.devices.local import LocalDevice
from edgekit.devices.session import GoldenCheck, RunnerSession, TimedRuns
from edgekit.devices.transport import LocalTransport, Process, Transport

__all__ = [
    "Device",
    "GoldenCheck",
    "LocalDevice",
    "LocalTransport",
    "Process",
    "RunnerSession",
    "TimedRuns",
    "Transport",
    "open_device",
]
