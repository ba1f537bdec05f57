"""A drawn scene of moving shapes: the same frames every time, for a look at the pipeline without a camera."""

from __future__ import annotations

import re
import threading
import time

import cv2
import numpy as np

from edgekit.camera.frames import Frame
from edgekit.contracts.types import Image
from edgekit.errors import CameraError

PREFIX = "synthetic:"
MAX_SIDE = 8192
MAX_FPS = 1000
_FORM = re.compile(r"synthetic:(\d+)x(\d+)@(\d+(?:\.\d+)?)")


class Synthetic:
    """``synthetic:WIDTHxHEIGHT@FPS``: frames come at that rate without an end; CameraError for another form."""

    live = True
    patience_s = None
    gaps = ()

    def __init__(self, spec: str) -> None:
        found = _FORM.fullmatch(spec)
        sides = [int(found[1]), int(found[2])] if found else [0]
        rate = float(found[3]) if found else 0.0
        if not (min(sides) >= 16 and max(sides) <= MAX_SIDE and 0 < rate <= MAX_FPS):
            raise CameraError(
                f"{spec}: write synthetic:WIDTHxHEIGHT@FPS, such as synthetic:640x480@30 "
                f"(sides of 16 to {MAX_SIDE} pixels, at most {MAX_FPS} frames a second)"
            )
        self.name, self.rate_fps = spec, rate
        self._size = (sides[0], sides[1])
        self._closed = threading.Event()
        self._index = 0
        self._started_s: float | None = None

    def read(self) -> Frame | None:
        index, self._index = self._index, self._index + 1
        image = draw_scene(self._size, index)
        if self._started_s is None:
            self._started_s = time.perf_counter()
        due_s = self._started_s + index / self.rate_fps
        if self._closed.wait(max(0.0, due_s - time.perf_counter())):
            return None
        return Frame(
            image=image, index=index, time_ms=index * 1000 / self.rate_fps, captured_s=time.perf_counter()
        )

    def close(self) -> None:
        self._closed.set()


def draw_scene(size: tuple[int, int], index: int) -> Image:
    """Frame ``index`` of ``size`` (width, height): a disc, a square and a bar on their ways over a gradient."""
    width, height = size
    ramp = np.linspace(40, 120, width).astype(np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (height, width, 3)))
    unit = max(2, min(size) // 8)
    disc = (_swing(7 * index, width), _swing(5 * index, height))
    cv2.circle(image, disc, unit, (60, 60, 230), -1, cv2.LINE_AA)
    left, top = _swing(4 * index + width // 2, width - unit), _swing(3 * index, height - unit)
    cv2.rectangle(image, (left, top), (left + unit, top + unit), (80, 220, 90), -1)
    bar = _swing(6 * index, width)
    cv2.line(image, (bar, 0), (bar, height), (240, 200, 60), max(1, unit // 4))
    return image


def _swing(distance: int, length: int) -> int:
    """Where something is that runs to and fro between 0 and ``length``."""
    place = distance % (2 * length)
    return place if place <= length else 2 * length - place
