"""Frames of a video file as samples."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2

from edgekit.contracts.types import Image
from edgekit.data.capture import open_capture
from edgekit.data.samples import Sample, Samples
from edgekit.errors import DataError


def clip_samples(path: Path, limit: int | None = None) -> Samples:
    """At most ``limit`` frames of ``path``, spread evenly over it, without labels; all of it is decoded once.

    DataError where no frame can be decoded.
    """
    clip = _Clip(path)
    frames = range(clip.count())
    if not frames:
        raise DataError(f"{path}: no video that can be read, or damaged: FFmpeg finds no frame in it")
    items = tuple(Sample(f"{path.name}, frame {index}", partial(clip.frame, index)) for index in frames)
    return Samples(path.resolve().name, items).subset(limit)


class _Clip:
    """Frames by number. Jumps in a video are inexact with many codecs, so it is read on from where it is, or again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    def count(self) -> int:
        """Of those that can be decoded: what a container says of its number may be an estimate."""
        while self._capture.grab():
            self._next += 1
        return self._next

    def frame(self, index: int) -> Image:
        if index < self._next:
            self._open()
        while self._next < index and self._capture.grab():
            self._next += 1
        ok, image = self._capture.read()
        self._next += 1
        if not ok:
            raise DataError(f"{self._path}: frame {index} cannot be decoded; did the file change?")
        decoded: Image = image
        return decoded

    def _open(self) -> None:
        self._capture = open_capture(str(self._path), cv2.CAP_FFMPEG)
        self._next = 0
