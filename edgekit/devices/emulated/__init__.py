"""Emulated boards: the true runtimes of an Arm board, run here under qemu-user."""

from edgekit.devices.emulated.board import CORES, SCHEME
from edgekit.devices.emulated.device import EmulatedDevice, open_emulated
from edgekit.devices.emulated.setup import Emulation, find_emulation, set_up

__all__ = ["CORES", "SCHEME", "EmulatedDevice", "Emulation", "find_emulation", "open_emulated", "set_up"]
