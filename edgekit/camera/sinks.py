"""Where answers go: lines of JSON, an annotated video."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

import cv2

from edgekit.camera.drawing import drawn
from edgekit.camera.events import event_line
from edgekit.camera.pipeline import Result
from edgekit.data.capture import quiet
from edgekit.errors import CameraError

CODECS = {".avi": "MJPG", ".mp4": "mp4v"}
"""What OpenCV's wheels can encode by themselves: Motion JPEG, MPEG-4 part 2."""
DEFAULT_FPS = 25.0
"""Of a video from a source that does not say its rate."""


class Sink(Protocol):
    """Takes results one after the other; a context manager."""

    def write(self, result: Result) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class EventFile:
    """One line of JSON a frame, written at once so that whoever reads along sees it; "-" is stdout."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: TextIO = sys.stdout

    def __enter__(self) -> Self:
        if self._path != "-":
            try:
                self._file = Path(self._path).open("w", encoding="utf-8")
            except OSError as error:
                raise CameraError(f"{self._path}: cannot be written: {error.strerror}") from None
        return self

    def write(self, result: Result) -> None:
        self._file.write(event_line(result) + "\n")
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        if self._path != "-":
            self._file.close()


class VideoFile:
    """The frames with the answers drawn on them, all in the size of the first one, at the source's pace.

    A frame is shown until the next one's time, so that what was dropped makes the video no faster.
    """

    def __init__(self, path: Path, rate_fps: float | None, camera: str | None = None) -> None:
        """``camera``: of several, whose frames it takes. CameraError where the name has no suffix that is written."""
        check_video_name(path)
        self._camera = camera
        self._path, self._rate_fps = path, rate_fps or DEFAULT_FPS
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._first_ms = 0.0
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def write(self, result: Result) -> None:
        if result.camera != self._camera:
            return
        image = drawn(result)
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            self._first_ms = result.frame.time_ms
            self._writer = self._open()
        if (image.shape[1], image.shape[0]) != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        until = round((result.frame.time_ms - self._first_ms) * self._rate_fps / 1000) + 1
        for _ in range(until - self._written):
            self._writer.write(image)
        self._written = max(until, self._written)

    def _open(self) -> cv2.VideoWriter:
        quiet()
        code = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        writer = cv2.VideoWriter(str(self._path), code, self._rate_fps, self._size)
        if not writer.isOpened():
            raise CameraError(
                f"{self._path}: cannot be written; is its folder there, and may you write to it?"
            )
        return writer

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.release()


def check_video_name(path: Path) -> None:
    """CameraError where the suffix is none that is written."""
    if path.suffix.lower() not in CODECS:
        raise CameraError(f"{path}: a video is written as {' or '.join(sorted(CODECS))}; name it so")
