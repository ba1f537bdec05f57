"""People that one bundle finds, and their poses by another: a square around each, its points back in the frame."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import cv2
import numpy as np

from edgekit.camera.asking import Ask
from edgekit.contracts import Box, Boxes, LoadedContract, Pose, Poses, Prediction
from edgekit.contracts.schema import BoxesOutput
from edgekit.contracts.types import Image

PERSON = "person"
"""Label of the boxes; COCO's."""
ENLARGED = 1.25
"""Side of the square in longer sides of the box, as MediaPipe's pose_landmark graphs take it: for boxes that hold the
whole body."""


class Posing:
    """Of the boxes with the label ``person``; one without area has no pose, nor one in which nobody is found."""

    finds = f"boxes with the label '{PERSON}'"
    most = 8

    def __init__(self, contract: LoadedContract, enlarge: float | None) -> None:
        """Nothing depends on the contract: a square fits any ``resize``. ``enlarge``: in place of ``ENLARGED``."""
        self._enlarge = enlarge or ENLARGED

    @staticmethod
    def goes_with(first: LoadedContract) -> bool:
        return isinstance(first.schema.output, BoxesOutput) and PERSON in first.labels

    def areas(self, found: Prediction) -> list[float | None]:
        boxes = found.boxes if isinstance(found, Boxes) else ()
        areas = [max(0.0, box.right - box.left) * max(0.0, box.bottom - box.top) for box in boxes]
        return [area or None if box.label == PERSON else None for box, area in zip(boxes, areas, strict=True)]

    def with_answers(self, image: Image, found: Prediction, which: Collection[int], ask: Ask) -> Prediction:
        assert isinstance(found, Boxes)
        return Boxes(
            tuple(
                replace(box, pose=self._pose(image, box, ask)) if index in which else box
                for index, box in enumerate(found.boxes)
            )
        )

    def _pose(self, image: Image, box: Box, ask: Ask) -> Pose | None:
        """The best one in the box's square."""
        part, (left, top) = square(image, box, self._enlarge)
        answer = ask(part)
        assert isinstance(answer, Poses)
        if not answer.poses:
            return None
        pose = answer.poses[0]
        return replace(
            pose, points=tuple(replace(point, x=point.x + left, y=point.y + top) for point in pose.points)
        )


def square(image: Image, box: Box, enlarge: float) -> tuple[Image, tuple[int, int]]:
    """The square of ``enlarge`` times the box's longer side around its middle, and its (left, top) in the frame.

    Whole pixels; beyond the frame its edge is repeated.
    """
    side = max(1, math.ceil(enlarge * max(box.right - box.left, box.bottom - box.top)))
    left = math.floor((box.left + box.right - side) / 2)
    top = math.floor((box.top + box.bottom - side) / 2)
    height, width = image.shape[:2]
    part = image[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    below, beside = max(0, top + side - height), max(0, left + side - width)
    padded = cv2.copyMakeBorder(part, max(0, -top), below, max(0, -left), beside, cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.uint8), (left, top)
