"""Frames that are there already: video files and folders of images, in order, and the same at their own rate."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2

from edgekit.camera.frames import Frame, Source
from edgekit.contracts.types import Image
from edgekit.data.capture import open_capture, rate_of
from edgekit.data.images import find_images, read_image
from edgekit.errors import CameraError

COUNTED = frozenset({".avi", ".m4v", ".mov", ".mp4"})
"""Containers whose index counts the frames; others estimate the count from the duration."""
LEAST_SHARE = 0.95
"""Of the counted frames. Encoders leave a few out at an end; a clip that lost more than that was cut off."""
_ASSUMED_FPS = 25.0
FOLDER_FPS = 1.0
"""A folder has no rate of its own: an image a second."""


class Clip:
    """A video file, read by FFmpeg. Raises CameraError where no frame of it can be decoded."""

    live = False
    patience_s = None
    gaps = ()

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._capture = open_capture(str(path), cv2.CAP_FFMPEG)
        self._index = 0
        self._first: Image | None
        ok, self._first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not ok:
            raise CameraError(
                f"{path}: no video that can be read, or damaged: FFmpeg finds no frame in it. "
                "Try another file, or repair it: ffmpeg -i IN -c copy OUT"
            )
        self.rate_fps = rate_of(self._capture)
        self._counted = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)) if path.suffix.lower() in COUNTED else 0
        )

    def read(self) -> Frame | None:
        """The next frame; CameraError at the end of a clip that has far fewer than its index says."""
        image, self._first = self._first, None
        if image is None:
            ok, image = self._capture.read()
            if not ok:
                self._check_end()
                return None
        index, self._index = self._index, self._index + 1
        time_ms = index * 1000 / (self.rate_fps or _ASSUMED_FPS)
        return Frame(image=image, index=index, time_ms=time_ms, captured_s=time.perf_counter())

    def _check_end(self) -> None:
        if self._index < self._counted * LEAST_SHARE:
            raise CameraError(
                f"{self.name}: damaged: {self._index} of its {self._counted} frames could be decoded"
            )

    def close(self) -> None:
        """The file is closed with the object: another thread may be reading."""


class Folder:
    """The images below a folder, in the order of their names; each may have a size of its own."""

    live = False
    rate_fps = FOLDER_FPS
    patience_s = None
    gaps = ()

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._images = find_images(folder)
        if not self._images:
            raise CameraError(f"{folder}: no images (.jpg, .png, .bmp, .webp, .tif, .ppm) in this folder")
        self._index = 0

    def read(self) -> Frame | None:
        """The next image; DataError where it is damaged."""
        if self._index == len(self._images):
            return None
        index, self._index = self._index, self._index + 1
        image = read_image(self._images[index])
        return Frame(
            image=image, index=index, time_ms=index * 1000 / FOLDER_FPS, captured_s=time.perf_counter()
        )

    def close(self) -> None:
        """Nothing is held."""


class RealTime:
    """A clip or folder played at its own rate: frames come when they are due, as a camera's do."""

    live = True
    patience_s = None
    gaps = ()

    def __init__(self, clip: Source) -> None:
        self._clip = clip
        self.name, self.rate_fps = clip.name, clip.rate_fps
        self._closed = threading.Event()
        self._started_s: float | None = None

    def read(self) -> Frame | None:
        frame = self._clip.read()
        if frame is None:
            return None
        if self._started_s is None:
            self._started_s = time.perf_counter()
        wait_s = self._started_s + frame.time_ms / 1000 - time.perf_counter()
        if wait_s > 0 and self._closed.wait(wait_s):
            return None
        # decoding is the sensor's work here, no part of the age
        return replace(frame, captured_s=time.perf_counter())

    def close(self) -> None:
        self._closed.set()
        self._clip.close()
