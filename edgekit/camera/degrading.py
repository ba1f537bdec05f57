"""The rungs that a camera can fall back to: bundles that compute less, then fewer frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from edgekit.camera.answering import Answerer
from edgekit.camera.ladder import Ladder, Limits
from edgekit.errors import CameraError
from edgekit.host.temperature import temperatures

SKIPPING = (2, 4)
"""Below the last bundle every second, then every fourth frame is answered."""
_TEMPERATURE_S = 1.0
"""Sensors are asked so often."""


@dataclass(frozen=True, slots=True)
class Rung:
    """Every ``every``-th frame is answered by ``answerer``."""

    answerer: Answerer
    every: int

    def __str__(self) -> str:
        name = self.answerer.bundle.path.name
        return name if self.every == 1 else f"{name}, 1 frame in {self.every}"


def hottest_c() -> float | None:
    """Of the machine's sensors, in degrees Celsius; None where there is none."""
    return max((zone.celsius for zone in temperatures()), default=None)


class Degrading:
    """Which frames are answered by whom. Frames come in and answers go out in two threads."""

    def __init__(
        self,
        answerers: Sequence[Answerer],
        limits: Limits,
        *,
        pinned: int | None = None,
        told: Callable[[str], None] = lambda _: None,
        temperature: Callable[[], float | None] = hottest_c,
    ) -> None:
        """``answerers``: the bundle and those to fall back to, best first. ``told`` hears of each step and why.

        CameraError where ``pinned`` is no rung, or a bundle has another task or other labels than the first.
        """
        for other in answerers[1:]:
            _check_alike(answerers[0], other)
        self.rungs = (
            *(Rung(answerer, 1) for answerer in answerers),
            *(Rung(answerers[-1], every) for every in SKIPPING),
        )
        if pinned is not None and pinned >= len(self.rungs):
            known = "; ".join(f"{number}: {rung}" for number, rung in enumerate(self.rungs))
            raise CameraError(f"there is no rung {pinned}; {known}")
        self._ladder = Ladder(len(self.rungs), limits, pinned=pinned)
        self._told, self._temperature = told, temperature
        self._temperature_c: float | None = None
        self._asked_s = float("-inf")
        self._came = self.changes = 0
        self._answered = [0] * len(self.rungs)

    @property
    def rung(self) -> int:
        return self._ladder.rung

    def standing(self) -> dict[str, Any]:
        """Where it stands now; rung 0 is the first bundle on every frame."""
        number = self.rung
        return {"number": number, "way": str(self.rungs[number])}

    def answerer(self) -> Answerer | None:
        """Who answers the next frame; None: nobody."""
        rung, self._came = self.rungs[self.rung], self._came + 1
        return rung.answerer if self._came % rung.every == 0 else None

    def came_out(self, age_ms: float) -> None:
        """An answer has been put out, so old."""
        now_s = perf_counter()
        self._answered[self.rung] += 1
        if now_s - self._asked_s >= _TEMPERATURE_S:
            self._asked_s, self._temperature_c = now_s, self._temperature()
        before = self.rung
        if change := self._ladder.look(now_s, age_ms, self._temperature_c):
            self.changes += 1
            way = "less" if change.rung > before else "more"
            self._told(f"{change.reason}: doing {way}, {self.rungs[change.rung]} (rung {change.rung})")

    def facts(self) -> dict[str, Any]:
        rungs = [
            {"bundle": str(rung.answerer.bundle.path), "every": rung.every, "frames": frames}
            for rung, frames in zip(self.rungs, self._answered, strict=True)
        ]
        return {"rung": self.rung, "changes": self.changes, "rungs": rungs}


def _check_alike(first: Answerer, other: Answerer) -> None:
    a, b = first.contract, other.contract
    if (a.schema.task, a.labels) != (b.schema.task, b.labels):
        raise CameraError(
            f"{other.bundle.path}: cannot stand in for {first.bundle.path}: it has another task or other labels"
        )
