"""Draw a body: the lines of its skeleton and its points, as far as they are seen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from edgekit.contracts import Keypoint, Pose
from edgekit.contracts.types import Image

_POINT = (255, 255, 255)


def draw_pose(canvas: Image, pose: Pose, colour: Sequence[int], thick: int) -> None:
    """On ``canvas`` itself, lines ``thick`` pixels wide; what is hidden or outside of the picture is left out."""
    for a, b in pose.bones():
        cv2.line(canvas, _place(a), _place(b), colour, thick, cv2.LINE_AA)
    for point in pose.points:
        if point.seen:
            cv2.circle(canvas, _place(point), thick, _POINT, -1, cv2.LINE_AA)


def _place(point: Keypoint) -> tuple[int, int]:
    return round(point.x), round(point.y)
