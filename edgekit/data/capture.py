"""Open what OpenCV can capture from, quietly: the caller has the one line that says what is wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2


def open_capture(place: str, backend: int, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """A capture that may not be open; ``options`` are pairs of OpenCV's property and value."""
    quiet()
    return cv2.VideoCapture(place, backend, list(options))


def quiet() -> None:
    """Keep OpenCV and its FFmpeg, which reads this when it is first used, from lines of their own on stderr."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # for good: they write from threads of their own, and late
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def rate_of(capture: cv2.VideoCapture) -> float | None:
    """Frames a second, None where the container or driver does not say (or says nonsense)."""
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if 0 < rate <= 1000 else None
