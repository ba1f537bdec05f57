"""Text that one bundle finds, read by another: cut out upright, one region after the other."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from edgekit.camera.answering import Answerer
from edgekit.contracts import Text, TextRegion, TextRegions
from edgekit.contracts.schema import ImageInput
from edgekit.contracts.types import Image
from edgekit.errors import CameraError

FINDS, READS = "text-detection", "text-recognition"
"""Tasks of the two bundles."""
_SQUEEZED = 1.25
"""A line may be so much longer than the model's input is wide: it is squeezed then, and still read."""
_SPACE, _BLANK = 0.2, 0.5
"""Width of a space in heights of the line; ink that it has at most, in that of half of the columns."""
_UPRIGHT = 1.5
"""A region so many times as high as wide is a line that stands on its end, as PP-OCR takes it."""


class Reader:
    """Not for several threads at a time."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer
        (size,) = (item.size for item in answerer.contract.schema.inputs if isinstance(item, ImageInput))
        self._longest = size[1] / size[0] * _SQUEEZED

    def read(self, image: Image, found: TextRegions) -> TextRegions:
        """``found`` with the text of each region; one with less than a pixel has none."""
        return TextRegions(tuple(self._read(image, region) for region in found.regions))

    def _read(self, image: Image, region: TextRegion) -> TextRegion:
        part = cut_out(image, region)
        if part is None:
            return region
        pieces, gaps = split(part, self._longest)
        read = [self._piece(piece) for piece in pieces]
        text = "".join(gap + piece.text for gap, piece in zip(["", *gaps], read, strict=True))
        letters = sum(len(piece.text) for piece in read)
        score = sum(piece.score * len(piece.text) for piece in read) / letters if letters else 0.0
        return replace(region, text=Text(text, score))

    def _piece(self, image: Image) -> Text:
        encoded = self._answerer.prepare(image)
        text = self._answerer.decode(self._answerer.infer(encoded), encoded.meta)
        assert isinstance(text, Text)
        return text


def cut_out(image: Image, region: TextRegion) -> Image | None:
    """The region, turned upright so that its text goes from left to right; None where it is smaller than a pixel."""
    corners = np.array(region.corners, np.float32)
    following = np.roll(corners, -1, axis=0)
    top, right, bottom, left = np.linalg.norm(following - corners, axis=1)
    width, height = round(float(max(top, bottom))), round(float(max(left, right)))
    if not (width and height):
        return None
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    part: Image = np.asarray(
        cv2.warpPerspective(
            image,
            cv2.getPerspectiveTransform(corners, target),
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
    return np.ascontiguousarray(np.rot90(part)) if height >= _UPRIGHT * width else part


def split(line: Image, longest: float) -> tuple[list[Image], list[str]]:
    """Pieces at most about ``longest`` times as wide as high, cut where there is least ink, and what stands between.

    That is a space where the cut goes through a gap as wide as one, else nothing.
    """
    height, width = line.shape[:2]
    count = math.ceil(width / (height * longest))
    if count == 1:
        return [line], []
    # how much a column varies, over the width of a space
    ink = cv2.blur(line.std(axis=(0, 2), dtype=np.float32)[None], (max(1, round(height * _SPACE)), 1))[0]
    cuts = [0]
    for number in range(1, count):
        begin = max(cuts[-1] + 1, round(width * number / count) - height)
        cuts.append(begin + int(np.argmin(ink[begin : begin + 2 * height])))
    blank = float(np.median(ink)) * _BLANK
    pieces = [line[:, begin:end] for begin, end in zip(cuts, [*cuts[1:], width], strict=True)]
    return pieces, [" " if ink[cut] < blank else "" for cut in cuts[1:]]


def check_finds_text(answerer: Answerer) -> None:
    """CameraError where there is nothing for a reader in what the bundle finds."""
    if (task := answerer.contract.schema.task) != FINDS:
        raise CameraError(
            f"{answerer.bundle.path}: a bundle of task '{task}' finds no text to read; --read-with goes with: {FINDS}"
        )
