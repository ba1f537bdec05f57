"""Which pixels of a frame are covered: those of a mask, with a margin, and for a while those of masks before."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from edgekit.camera.covering import FILL, HOLD_FRAMES, HOLD_S
from edgekit.contracts import Mask
from edgekit.contracts.types import Image

Pixels = npt.NDArray[np.bool_]
"""[height, width]"""
MARGIN = 0.02
"""Of the frame's shorter side, around each mask: a map of 256 pixels is blind to what is narrower."""


def covered_pixels(mask: Mask, labels: frozenset[str]) -> Pixels:
    """Pixels of these classes with a margin, and all that the model was not shown: nobody knows who is there."""
    indices = mask.indices
    wanted = [index for index, label in enumerate(mask.labels) if label in labels]
    found = np.zeros(indices.shape, np.uint8)
    for index in wanted:
        found |= indices == index
    reach = max(1, round(MARGIN * min(indices.shape)))
    grown = cv2.dilate(found, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    pixels: Pixels = (grown > 0) | (indices < 0)
    return pixels


class _Kept(NamedTuple):
    at_s: float
    frame: int
    bits: npt.NDArray[np.uint8]


class MaskMemory:
    """Takes the pixels of one frame after the other; gives those that are covered on each.

    A pixel stays covered for as long as a lost box does: a mask blinks like any detector, and says nothing of who moves
    where. Who walks leaves a trail of so long a time.
    """

    def __init__(self) -> None:
        self._kept: deque[_Kept] = deque()
        self._shape = (0, 0)
        self._frames = 0

    def update(self, found: Pixels, time_s: float) -> Pixels:
        if self._shape != found.shape:  # another size is another picture
            self._kept.clear()
            self._shape = (found.shape[0], found.shape[1])
        self._frames += 1
        self._kept.append(_Kept(time_s, self._frames, np.packbits(found)))
        while not self._holds(self._kept[0], time_s):
            self._kept.popleft()
        bits = np.bitwise_or.reduce([kept.bits for kept in self._kept])
        return np.unpackbits(bits, count=found.size).reshape(found.shape).view(np.bool_)

    def _holds(self, kept: _Kept, time_s: float) -> bool:
        return time_s - kept.at_s <= HOLD_S or self._frames - kept.frame <= HOLD_FRAMES


def cover_pixels(image: Image, pixels: Pixels) -> None:
    """Fill them in the image itself, so that nobody who has it still has what was there."""
    np.copyto(image, np.array(FILL, np.uint8), where=pixels[:, :, None])
