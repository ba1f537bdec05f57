"""Frames that come when they come: cameras of this machine, and streams from the network."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import cv2

from edgekit.camera.addresses import shown
from edgekit.camera.frames import Frame
from edgekit.camera.pauses import pauses
from edgekit.contracts.types import Image
from edgekit.data.capture import open_capture, rate_of
from edgekit.errors import CameraError

TIMEOUT_S = 10.0
"""Longest wait for a frame, unless the user says another."""
LONGEST_WAIT_S = 4.0
"""Between attempts to connect again."""
SCHEMES = ("http://", "https://", "rtsp://", "rtsps://")
_DEVICE_S = 2.0
"""What an attempt may take beyond its own time-out, to open a socket and to close it."""


class V4l2Camera:
    """``/dev/videoN`` through Video4Linux; CameraError says whether it is absent, locked or in use."""

    live = True
    gaps = ()

    def __init__(self, device: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.name = str(device)
        self.patience_s = timeout_s
        check_device(device)
        self._capture = open_capture(self.name, cv2.CAP_V4L2)
        self._stamps = Stamps()
        # a look whether it gives frames at all; this one is old when somebody asks for the first
        if not (self._capture.isOpened() and self._capture.read()[0]):
            raise CameraError(why_no_frame(device))
        self.rate_fps = rate_of(self._capture)

    def read(self) -> Frame:
        ok, image = self._capture.read()
        if not ok:
            raise CameraError(f"{self.name}: the camera stopped giving frames; is it still plugged in?")
        return self._stamps.stamp(image)

    def close(self) -> None:
        """The device is closed with the object: another thread may wait in the driver."""


def check_device(device: Path) -> None:
    """CameraError where there is no such device, or it may not be opened."""
    if not device.exists():
        others = sorted(str(path) for path in Path("/dev").glob("video*"))
        there = f"there are: {', '.join(others)}" if others else "this machine has none (/dev/video*)"
        raise CameraError(f"{device}: no such camera; {there}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise CameraError(f"{device}: no permission; add yourself to its group: sudo usermod -aG video $USER")


def why_no_frame(device: Path) -> str:
    """Why a device that is there gives no frame: who has it open, as far as /proc tells."""
    holders = sorted(_holders(device))
    if holders:
        return f"{device}: in use by {', '.join(holders)}; end that first"
    return (
        f"{device}: gives no frame: in use by another program, or a device without pictures "
        "(many cameras have a second one for metadata; try the other number)"
    )


def _holders(device: Path) -> set[str]:
    """Name and id of other processes that hold ``device`` open; those of other users are not seen."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            holds = link.readlink() == device
            process = link.parts[2]
            if holds and int(process) != os.getpid():
                name = Path("/proc", process, "comm").read_text(encoding="utf-8").strip()
                found.add(f"{name} (process {process})")
        except OSError:  # ended meanwhile, or another user's
            continue
    return found


class Stream:
    """An RTSP or HTTP stream through FFmpeg, connected again where it breaks off or stalls.

    A frame is waited for ``timeout_s``; after that, or a broken connection, attempts follow with growing pauses until
    twice that time has gone by since the last frame, then CameraError. ``gaps`` holds each interruption that ended.
    FFmpeg scales frames of another size to the size of the connection's first one.
    """

    live = True

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self.name = shown(url)
        self._url = url
        self._timeout_s = timeout_s
        self._closed = threading.Event()
        self._stamps = Stamps()
        self._gaps: list[float] = []
        self._capture = self._connect(timeout_s)
        if self._capture is None:
            raise CameraError(
                f"{self.name}: no stream: nothing answers there within {timeout_s:g} s, or no video that FFmpeg reads"
            )
        self.rate_fps = rate_of(self._capture)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._last = int(count) if count > 0 else None
        """How many frames there are, where it is a file that is served."""

    @property
    def patience_s(self) -> float:
        return 4 * self._timeout_s + LONGEST_WAIT_S + _DEVICE_S

    @property
    def gaps(self) -> tuple[float, ...]:
        return tuple(self._gaps)

    def read(self) -> Frame | None:
        image = self._next()
        if image is None and (self._closed.is_set() or self._stamps.count == self._last):
            return None
        if image is None:
            image = self._again(time.perf_counter())
        return None if image is None else self._stamps.stamp(image)

    def _next(self) -> Image | None:
        if self._capture is None:
            return None
        ok, image = self._capture.read()
        return image if ok else None

    def _again(self, lost_s: float) -> Image | None:
        """The first frame after connecting again; None when closed meanwhile."""
        for wait_s in pauses(LONGEST_WAIT_S):
            self._capture = None
            if self._closed.wait(wait_s):
                return None
            left_s = lost_s + self._timeout_s - time.perf_counter()
            if left_s <= 0:
                break
            self._capture = self._connect(left_s)
            image = self._next()
            if image is not None:
                self._gaps.append(time.perf_counter() - (self._stamps.last_s or lost_s))
                return image
        gone_s = time.perf_counter() - (self._stamps.last_s or lost_s)
        raise CameraError(
            f"{self.name}: no frame for {gone_s:.0f} s, and connecting again did not help; "
            "is the camera on the network?"
        )

    def _connect(self, within_s: float) -> cv2.VideoCapture | None:
        within_ms = max(1, round(within_s * 1000))
        limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, within_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
        capture = open_capture(self._url, cv2.CAP_FFMPEG, (*limits, round(self._timeout_s * 1000)))
        return capture if capture.isOpened() else None

    def close(self) -> None:
        self._closed.set()


class Stamps:
    """Counts frames and tells when they came."""

    def __init__(self) -> None:
        self.count = 0
        self.last_s: float | None = None
        self._first_s = 0.0

    def stamp(self, image: Image) -> Frame:
        now_s = time.perf_counter()
        if not self.count:
            self._first_s = now_s
        index, self.count, self.last_s = self.count, self.count + 1, now_s
        return Frame(image=image, index=index, time_ms=(now_s - self._first_s) * 1000, captured_s=now_s)
