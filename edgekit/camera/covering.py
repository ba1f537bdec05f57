"""Which rectangles of a frame are covered: what was found, with a margin, and for a while what was found before."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edgekit.contracts.agreement import box_iou
from edgekit.contracts.types import Image
from edgekit.errors import CameraError

HOLD_S = 1.0
HOLD_FRAMES = 3
"""What is not found again stays covered until so much time and so many frames have gone by: detectors blink."""
_GROWTH = 0.5
"""Of its side, to either side and a second, by which the cover of what is not seen grows."""
_SAME = 0.2
"""Overlap (intersection over union) from which a box is where an earlier one has gone."""
FILL = (96, 96, 96)
"""Nothing of what is covered is in it, not even its mean colour."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in pixels of the frame, of something named ``label``."""

    label: str
    left: float
    top: float
    right: float
    bottom: float

    def grown(self, share: float) -> Area:
        """Larger by that share of its width and height on each side."""
        x, y = share * (self.right - self.left), share * (self.bottom - self.top)
        return Area(self.label, self.left - x, self.top - y, self.right + x, self.bottom + y)

    def moved(self, x: float, y: float) -> Area:
        return Area(self.label, self.left + x, self.top + y, self.right + x, self.bottom + y)

    def holds(self, x: float, y: float) -> bool:
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def joined(self, other: Area) -> Area:
        """The rectangle around both."""
        return Area(
            self.label,
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    area: Area
    at_s: float
    unseen_frames: int = 0
    speed: tuple[float, float] = (0.0, 0.0)
    """Pixels a second, right and down."""

    def cover(self, time_s: float) -> Area:
        """From where it was seen to where it would be by now, grown by what is not known of its way."""
        unseen_s = time_s - self.at_s
        ahead = self.area.moved(self.speed[0] * unseen_s, self.speed[1] * unseen_s)
        return self.area.joined(ahead).grown(_GROWTH * unseen_s)

    def held(self, time_s: float) -> bool:
        return time_s - self.at_s <= HOLD_S or self.unseen_frames <= HOLD_FRAMES


class Memory:
    """Takes what was found on one frame after the other; gives what is covered on each."""

    def __init__(self) -> None:
        self._seen: list[_Seen] = []

    def update(self, found: Sequence[Area], time_s: float) -> tuple[Area, ...]:
        """Every area of ``found``, and those of before that none of them has taken the place of."""
        before = list(self._seen)
        now = []
        for area in found:
            # each takes the place of one at most: two people who pass each other are two
            former = max(before, key=lambda seen: _likeness(seen, area, time_s), default=None)
            if former is None or _likeness(former, area, time_s) < _SAME:
                now.append(_Seen(area, time_s))
            else:
                before.remove(former)
                now.append(_Seen(area, time_s, speed=_speed(former, area, time_s)))
        missed = [replace(seen, unseen_frames=seen.unseen_frames + 1) for seen in before]
        self._seen = now + [seen for seen in missed if seen.held(time_s)]
        return tuple(seen.cover(time_s) for seen in self._seen)


def _likeness(seen: _Seen, area: Area, time_s: float) -> float:
    if seen.area.label != area.label:
        return 0.0
    return max(box_iou(seen.area, area), box_iou(seen.cover(time_s), area))


def _speed(before: _Seen, area: Area, time_s: float) -> tuple[float, float]:
    """Half of it news, half what was known: boxes tremble."""
    passed_s = time_s - before.at_s
    if passed_s <= 0:
        return before.speed
    old = before.area
    x = (area.left + area.right - old.left - old.right) / 2 / passed_s
    y = (area.top + area.bottom - old.top - old.bottom) / 2 / passed_s
    return (before.speed[0] + x) / 2, (before.speed[1] + y) / 2


def cover(image: Image, areas: Iterable[Area]) -> None:
    """Fill ``areas`` in the image itself, so that nobody who has it still has what was there.

    CameraError where an area is no place: what should be covered is then not known.
    """
    height, width = image.shape[:2]
    for area in areas:
        sides = (area.left, area.top, area.right, area.bottom)
        if not all(map(math.isfinite, sides)):
            raise CameraError(f"a {area.label} was found at no place that could be covered: {sides}")
        left, top = max(0, math.floor(area.left)), max(0, math.floor(area.top))
        right, bottom = min(width, math.ceil(area.right)), min(height, math.ceil(area.bottom))
        # a box that lies beyond the edge would count from the other one
        image[top : max(top, bottom), left : max(left, right)] = FILL
