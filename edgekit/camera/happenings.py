"""What happens over time on a scene: entered, left, dwelt and crossed, from the tracks of each frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from edgekit.camera.scene import Line, Scene, Zone
from edgekit.camera.tracking import LOST_S
from edgekit.contracts import Box

Direction = Literal["in", "out"]
_MARGIN = 0.05
"""Of its box's height something has to be beyond a border before it counts: boxes tremble."""
_Spot = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Happening:
    """One event; ``place``: the name of a line or zone."""

    event: Literal["entered", "left", "dwelt", "crossed"]
    place: str
    track: int
    label: str
    direction: Direction | None = None
    """Of what crossed."""
    seconds: float | None = None
    """In the zone, of what left or dwelt."""

    def facts(self) -> dict[str, Any]:
        facts = {"event": self.event, "place": self.place, "track": self.track, "label": self.label}
        if self.direction:
            facts["direction"] = self.direction
        return facts if self.seconds is None else {**facts, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Seen:
    """Where something stands: the middle of its box's lower side, in pixels."""

    track: int
    label: str
    x: float
    y: float
    margin: float

    @classmethod
    def of(cls, track: int, box: Box) -> Seen:
        margin = _MARGIN * (box.bottom - box.top)
        return cls(track, box.label, (box.left + box.right) / 2, box.bottom, margin)


class SceneWatch:
    """Takes the tracks of one frame after the other, and remembers who is where."""

    def __init__(self, scene: Scene, before: SceneWatch | None = None) -> None:
        """``before``: of an earlier scene; places that stand in both go on with their counts and visits."""
        self.scene = scene
        known = before._places if before else []
        new: list[_Watch] = [*map(_LineWatch, scene.lines), *map(_ZoneWatch, scene.zones)]
        self._places: list[_Watch] = [
            next((watch for watch in known if watch.place == one.place), one) for one in new
        ]

    def update(
        self, tracked: Iterable[tuple[int, Box]], size: tuple[int, int], time_s: float
    ) -> tuple[Happening, ...]:
        """What happened by this frame; ``size`` is its (width, height)."""
        seen = [Seen.of(track, box) for track, box in tracked]
        return tuple(event for place in self._places for event in place.update(seen, size, time_s))

    def counts(self) -> dict[str, dict[str, int]]:
        """Of each line ``in`` and ``out``; of each zone ``entered``, ``left``, ``dwelt`` and who is ``inside`` now."""
        return {place.name: dict(place.counts) for place in self._places}


class _Watch(ABC):
    """One place and who was seen of those that it is about."""

    def __init__(self, place: Line | Zone, counts: dict[str, int]) -> None:
        self.place, self.name, self.counts = place, place.name, counts
        self._labels = place.labels
        self._last_s: dict[int, float] = {}

    def update(self, seen: Sequence[Seen], size: tuple[int, int], time_s: float) -> list[Happening]:
        found: list[Happening] = []
        for one in seen:
            if not self._labels or one.label in self._labels:
                found += self._look(one, size, time_s)
                self._last_s[one.track] = time_s
        for track in [track for track, last_s in self._last_s.items() if time_s - last_s > LOST_S]:
            found += self._lost(track, self._last_s.pop(track))
        for event in found:
            self.counts[event.direction or event.event] += 1
        return found

    @abstractmethod
    def _look(self, one: Seen, size: tuple[int, int], time_s: float) -> list[Happening]: ...

    @abstractmethod
    def _lost(self, track: int, last_s: float) -> list[Happening]:
        """The track will not come back; it was seen last at ``last_s``."""


class _LineWatch(_Watch):
    """Each track's last spot that was clearly on one side: when it is clearly on the other, it has crossed."""

    def __init__(self, line: Line) -> None:
        super().__init__(line, {"in": 0, "out": 0})
        self._ends = np.array(line.points)
        self._clear: dict[int, tuple[float, _Spot]] = {}

    def _look(self, one: Seen, size: tuple[int, int], time_s: float) -> list[Happening]:
        start, end = self._ends * size
        spot = np.array([one.x, one.y])
        # y points down, so that the right hand side is positive
        side = _cross(end - start, spot - start) / float(np.linalg.norm(end - start))
        if abs(side) < one.margin:
            return []
        before = self._clear.get(one.track)
        self._clear[one.track] = (side, spot)
        if before is None or before[0] * side > 0 or not _between(before[1], spot, start, end):
            return []
        direction: Direction = "in" if side > 0 else "out"
        return [Happening("crossed", self.name, one.track, one.label, direction=direction)]

    def _lost(self, track: int, last_s: float) -> list[Happening]:
        self._clear.pop(track, None)
        return []


@dataclass(slots=True)
class _Visit:
    label: str
    since_s: float
    dwelt: bool = False


class _ZoneWatch(_Watch):
    """Visits of those whose spot is clearly inside, or that were first seen inside, until it is clearly outside."""

    def __init__(self, zone: Zone) -> None:
        super().__init__(zone, {"entered": 0, "left": 0, "dwelt": 0, "inside": 0})
        self._corners, self._dwell_s = np.array(zone.points), zone.dwell_s
        self._visits: dict[int, _Visit] = {}

    def update(self, seen: Sequence[Seen], size: tuple[int, int], time_s: float) -> list[Happening]:
        found = super().update(seen, size, time_s)
        self.counts["inside"] = len(self._visits)
        return found

    def _look(self, one: Seen, size: tuple[int, int], time_s: float) -> list[Happening]:
        corners = (self._corners * size).astype(np.float32)
        depth = cv2.pointPolygonTest(corners, (one.x, one.y), measureDist=True)
        visit = self._visits.get(one.track)
        if visit is None:
            if depth < (one.margin if one.track in self._last_s else 0):
                return []
            self._visits[one.track] = _Visit(one.label, time_s)
            return [Happening("entered", self.name, one.track, one.label)]
        if depth < -one.margin:
            return self._leave(one.track, time_s)
        stayed_s = time_s - visit.since_s
        if self._dwell_s is None or visit.dwelt or stayed_s < self._dwell_s:
            return []
        visit.dwelt = True
        return [Happening("dwelt", self.name, one.track, visit.label, seconds=stayed_s)]

    def _lost(self, track: int, last_s: float) -> list[Happening]:
        return self._leave(track, last_s) if track in self._visits else []

    def _leave(self, track: int, at_s: float) -> list[Happening]:
        visit = self._visits.pop(track)
        return [Happening("left", self.name, track, visit.label, seconds=at_s - visit.since_s)]


def _between(a: _Spot, b: _Spot, start: _Spot, end: _Spot) -> bool:
    """Whether the way from ``a`` to ``b``, which are on either side of the line, leads between its ends."""
    return _cross(b - a, start - a) * _cross(b - a, end - a) <= 0


def _cross(a: _Spot, b: _Spot) -> float:
    return float(a[0] * b[1] - a[1] * b[0])
