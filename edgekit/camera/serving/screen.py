"""The newest frame for whoever looks: drawn and encoded when it is asked for, once for all viewers."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import perf_counter

import cv2

from edgekit.camera.drawing import drawn
from edgekit.camera.pipeline import Result

_PERIOD_S = 0.04
"""A picture is encoded at most so often: 25 a second look like motion."""
_LONGEST = 1280
"""Pixels of the longer side; larger frames are made smaller, which is more to send than to see."""
_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Shot:
    """A JPEG, and the number of its frame, counted from 1 by the screen."""

    number: int
    jpeg: bytes


class Screen:
    """Holds one frame. ``show`` never waits for a viewer; viewers work in threads of their own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._result: Result | None = None
        self._number = 0
        self._closed = threading.Event()
        self._encoding = threading.Lock()
        self._shot = Shot(0, b"")
        self._encoded_s = 0.0
        self.encoded = 0
        """Pictures that somebody asked for."""

    def show(self, result: Result) -> None:
        with self._changed:
            self._result = result
            self._number += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody waits any longer."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def newest(self, after: int, patience_s: float) -> Shot | None:
        """A frame newer than number ``after``, waited for; None after ``patience_s`` or ``close``."""
        with self._changed:
            if after > self._number:  # of an earlier run
                after = 0
            news = self._changed.wait_for(lambda: self.closed or self._number > after, patience_s)
        if not news or self.closed:
            return None
        with self._encoding:
            wait_s = self._encoded_s + _PERIOD_S - perf_counter()
            if self._shot.number > after and wait_s > 0:
                return self._shot
            if wait_s > 0 and self._closed.wait(wait_s):
                return None
            return self._encode()

    def _encode(self) -> Shot:
        with self._changed:
            number, result = self._number, self._result
        if result is not None and number != self._shot.number:
            self._shot = Shot(number, _jpeg(result))
            self._encoded_s = perf_counter()
            self.encoded += 1
        return self._shot


def _jpeg(result: Result) -> bytes:
    image = drawn(result)
    height, width = image.shape[:2]
    if (scale := _LONGEST / max(height, width)) < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1].tobytes()
