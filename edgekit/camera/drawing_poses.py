"""Draw a body: the lines of its skeleton and its points, as far as they are seen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from edgekit.contracts import Keypoint, Pose
from edgekit.contracts.types import Image

_POINT = (255, 255, 255)
_FINEST = 1 / 40
"""Width of a line in longer sides of the body: on a small one the points of a face would run together."""


def draw_pose(canvas: Image, pose: Pose, colour: Sequence[int], thick: int) -> None:
    """On ``canvas`` itself, lines at most ``thick`` pixels wide; what is hidden or outside of the picture is left out."""
    seen = [point for point in pose.points if point.seen]
    if not seen:
        return
    longest = max(max(side) - min(side) for side in zip(*map(_place, seen), strict=True))
    fine = min(thick, max(1, round(longest * _FINEST)))
    for a, b in pose.bones():
        cv2.line(canvas, _place(a), _place(b), colour, fine, cv2.LINE_AA)
    for point in seen:
        cv2.circle(canvas, _place(point), max(1, fine // 2), _POINT, -1, cv2.LINE_AA)


def _place(point: Keypoint) -> tuple[int, int]:
    return round(point.x), round(point.y)
