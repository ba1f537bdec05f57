"""What is needed to run bundles elsewhere than here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from edgekit.devices.emulated import find_emulation
from edgekit.devices.vm.setup import find_board, missing_tools
from edgekit.doctor.finding import Finding
from edgekit.errors import DeviceError


def device_findings() -> Iterator[Finding]:
    """Look whether boards could be reached, and whether there is a virtual one."""
    ssh = shutil.which("ssh")
    yield Finding(
        topic="device",
        name="ssh://user@host",
        status="ok" if ssh else "missing",
        detail=f"boards are reached with {ssh}" if ssh else "no ssh client",
        next_step=None if ssh else "sudo apt-get install openssh-client",
    )
    yield _emulated()
    absent = missing_tools()
    if absent:
        detail, _, step = absent.partition(": ")
        yield Finding(
            topic="device", name="vm:TARGET", status="missing", detail=detail, next_step=step or None
        )
        return
    try:
        board = find_board()
    except DeviceError as error:
        detail, _, step = str(error).rpartition(": ")
        yield Finding(topic="device", name="vm:TARGET", status="missing", detail=detail, next_step=step)
        return
    yield Finding(topic="device", name="vm:TARGET", status="ok", detail=f"virtual boards from {board.folder}")


def _emulated() -> Finding:
    name = "emulated:TARGET"
    try:
        found = find_emulation()
    except DeviceError as error:
        detail, _, step = str(error).partition(" Try: ")
        return Finding(topic="device", name=name, status="missing", detail=detail.rstrip("."), next_step=step)
    counts = f"counts nothing: {found.why_no_counts}" if found.why_no_counts else "counts instructions"
    return Finding(topic="device", name=name, status="ok", detail=f"emulated boards, {counts}")
