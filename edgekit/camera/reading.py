"""Text that one bundle finds, read by another: cut out upright, long lines in pieces."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import cv2
import numpy as np

from edgekit.camera.asking import Ask
from edgekit.contracts import LoadedContract, Prediction, Text, TextRegion, TextRegions
from edgekit.contracts.schema import ImageInput
from edgekit.contracts.types import Image
from edgekit.errors import CameraError

FINDS = "text-detection"
_SQUEEZED = 1.25
"""A line may be so much longer than the model's input is wide: it is squeezed then, and still read."""
_SPACE, _BLANK = 0.2, 0.5
"""Width of a space in heights of the line; ink that it has at most, in that of half of the columns."""
_UPRIGHT = 1.5
"""A region so many times as high as wide is a line that stands on its end, as PP-OCR takes it."""


class Reading:
    """Of the regions that a bundle for text detection finds; one with less than a pixel has no text."""

    finds = FINDS
    most = None

    def __init__(self, contract: LoadedContract, enlarge: float | None) -> None:
        """CameraError where ``enlarge`` is given: what is beside a text is not part of it."""
        if enlarge is not None:
            raise CameraError("a region of text is cut out as its corners say; --then-enlarge is for people")
        (size,) = (item.size for item in contract.schema.inputs if isinstance(item, ImageInput))
        self._longest = size[1] / size[0] * _SQUEEZED

    @staticmethod
    def goes_with(first: LoadedContract) -> bool:
        return first.schema.task == FINDS

    def areas(self, found: Prediction) -> list[float | None]:
        regions = found.regions if isinstance(found, TextRegions) else ()
        sizes = [_size(region) for region in regions]
        return [float(width * height) or None for width, height in sizes]

    def with_answers(self, image: Image, found: Prediction, which: Collection[int], ask: Ask) -> Prediction:
        assert isinstance(found, TextRegions)
        return TextRegions(
            tuple(
                self._read(image, region, ask) if index in which else region
                for index, region in enumerate(found.regions)
            )
        )

    def _read(self, image: Image, region: TextRegion, ask: Ask) -> TextRegion:
        pieces, gaps = split(cut_out(image, region), self._longest)
        read = [_text(ask(piece)) for piece in pieces]
        text = "".join(gap + piece.text for gap, piece in zip(["", *gaps], read, strict=True))
        letters = sum(len(piece.text) for piece in read)
        score = sum(piece.score * len(piece.text) for piece in read) / letters if letters else 0.0
        return replace(region, text=Text(text, score))


def _text(answer: Prediction) -> Text:
    assert isinstance(answer, Text)
    return answer


def _size(region: TextRegion) -> tuple[int, int]:
    """Width and height in whole pixels, upright."""
    corners = np.array(region.corners, np.float32)
    following = np.roll(corners, -1, axis=0)
    top, right, bottom, left = np.linalg.norm(following - corners, axis=1)
    return round(float(max(top, bottom))), round(float(max(left, right)))


def cut_out(image: Image, region: TextRegion) -> Image:
    """The region, turned upright so that its text goes from left to right; it has a pixel at least."""
    corners = np.array(region.corners, np.float32)
    width, height = _size(region)
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
