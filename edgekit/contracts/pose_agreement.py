"""How far two answers place the same bodies' points at the same places."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from edgekit.contracts.predictions import SEEN, Keypoint, Pose

SAME_SHARE = 0.1
"""Of the longer side of the body's box: PCK at 0.1, the percentage of correct keypoints (Yang & Ramanan, "Articulated
Human Detection with Flexible Mixtures of Parts", TPAMI 2013). COCO's OKS has constants for 17 points alone."""
_DOUBT = SEEN / 2
"""A score on the threshold falls to either side of it; below this the other one takes the point for hidden."""


def pose_agreement(found: Sequence[Pose], expected: Sequence[Pose]) -> float:
    """Each of ``found``, in its order, takes the most alike of ``expected`` that is free.

    2 x the sum of their likenesses / (found + expected); 1.0 where there is nothing on either side.
    """
    if not found and not expected:
        return 1.0
    free, alike = list(range(len(expected))), 0.0
    for pose in found:
        if free:
            near, i = max((likeness(pose, expected[i]), -i) for i in free)
            free.remove(-i)
            alike += near
    return 2 * alike / (len(found) + len(expected))


def likeness(pose: Pose, reference: Pose) -> float:
    """Share of the points that either of them sees which both see, within a tenth of the reference's size."""
    points, others = ({point.name: point for point in one.points} for one in (pose, reference))
    looked_at = {point.name for point in (*pose.points, *reference.points) if point.seen}
    if not looked_at:
        return 1.0
    reach = SAME_SHARE * _size(reference)
    both = looked_at & points.keys() & others.keys()
    return sum(_is_same(points[name], others[name], reach) for name in both) / len(looked_at)


def _is_same(a: Keypoint, b: Keypoint, reach: float) -> bool:
    return min(a.score, b.score) >= _DOUBT and hypot(a.x - b.x, a.y - b.y) <= reach


def _size(pose: Pose) -> float:
    """Longer side of the box around what is seen; around all points where that is one or none."""
    seen = [point for point in pose.points if point.seen]
    points = seen if len(seen) > 1 else pose.points
    xs, ys = [point.x for point in points], [point.y for point in points]
    return max(max(xs) - min(xs), max(ys) - min(ys)) if points else 0.0
