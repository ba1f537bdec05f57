"""Cameras on a Raspberry Pi's ribbon cable, which libcamera drives, through the system's package picamera2."""

from __future__ import annotations

import importlib
from typing import Any

from edgekit.camera.frames import Frame
from edgekit.camera.live import TIMEOUT_S, Stamps
from edgekit.errors import CameraError

PREFIX = "picamera2"
SIZE = (1280, 720)
"""Its own default for video, whose field of view is the sensor's."""


class PiCamera:
    """``picamera2`` or ``picamera2:N``. CameraError where the package or the camera is missing."""

    live = True
    gaps = ()
    rate_fps = 30.0
    """Its own default for video."""

    def __init__(self, spec: str, timeout_s: float = TIMEOUT_S) -> None:
        self.name, self.patience_s = spec, timeout_s
        self._stamps = Stamps()
        number = _number(spec)
        try:
            module: Any = importlib.import_module("picamera2")
        except ImportError as error:
            raise CameraError(
                f"{spec}: the package picamera2 is not here ({error}); on Raspberry Pi OS: sudo apt install "
                "python3-picamera2, and make edgekit's environment with: python3 -m venv --system-site-packages"
            ) from None
        there = module.Picamera2.global_camera_info()
        if number >= len(there):
            names = (
                ", ".join(f"{index}: {camera.get('Model')}" for index, camera in enumerate(there)) or "none"
            )
            raise CameraError(f"{spec}: no such camera; libcamera knows: {names}")
        try:
            self._camera = module.Picamera2(number)
            # what it calls RGB888 are bytes in the order B, G, R; without a queue no frame is older than the asking
            video = self._camera.create_video_configuration(
                main={"format": "RGB888", "size": SIZE}, queue=False
            )
            self._camera.configure(video)
            self._camera.start()
        except RuntimeError as error:
            raise CameraError(f"{spec}: cannot be opened, is it in use? ({error})") from None

    def read(self) -> Frame:
        return self._stamps.stamp(self._camera.capture_array("main"))

    def close(self) -> None:
        self._camera.stop()
        self._camera.close()


def _number(spec: str) -> int:
    number = spec.removeprefix(PREFIX).removeprefix(":") or "0"
    if not number.isdecimal():
        raise CameraError(f"{spec}: write picamera2, or picamera2:1 for the second one")
    return int(number)
