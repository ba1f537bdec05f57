"""Tell the service manager that frames come out: systemd restarts what has stopped to say so (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from typing import Self

from edgekit.camera.pipeline import Result
from edgekit.errors import CameraError


class Watchdog:
    """Ready with the first frame, alive with those that follow, as a sink that comes after the others."""

    def __init__(self, address: str, interval_s: float) -> None:
        """``address``: a unix datagram socket, from @ on an abstract one. ``interval_s``: least time between two signs."""
        self._address, self._interval_s = address, interval_s
        self._frames = 0
        self._said_s: float | None = None

    def __enter__(self) -> Self:
        """CameraError where nobody listens."""
        address = self._address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError as error:
            self._socket.close()
            raise CameraError(f"NOTIFY_SOCKET={address}: cannot be reached: {error.strerror}") from None
        return self

    def write(self, result: Result) -> None:
        self._frames += 1
        now_s = time.monotonic()
        if self._said_s is None:
            self._say("READY=1")
        if self._said_s is None or now_s - self._said_s >= self._interval_s:
            self._said_s = now_s
            self._say(f"WATCHDOG=1\nSTATUS={self._frames} frames")

    def __exit__(self, *_: object) -> None:
        self._say(f"STOPPING=1\nSTATUS={self._frames} frames")
        self._socket.close()

    def _say(self, text: str) -> None:
        try:
            self._socket.send(text.encode())
        except OSError:  # a manager that is busy or starts anew hears the next one; frames do not wait for it
            return


def watchdogs() -> list[Watchdog]:
    """One where the process was started by a service manager that listens (NOTIFY_SOCKET), else none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return []
    period_us = os.environ.get("WATCHDOG_USEC", "")
    # half of what it allows, as sd_watchdog_enabled(3) recommends
    interval_s = int(period_us) / 2e6 if period_us.isdecimal() else 1.0
    return [Watchdog(address, interval_s)]
