"""When to do less, so that answers stay fresh and the board cool, and when to do it all again."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass

LOOK_S = 5.0
"""Ages of so many newest seconds count, and so long each rung is tried before the next one down."""
CALM_S = 30.0
"""So long all must have been well before it goes up."""
LONGEST_CALM_S = 600.0
"""A rung that did not last is tried again after twice the time, up to this."""
_LASTED_S = 60.0
_EASE, _EASE_C = 0.8, 5.0
"""Well is what is below this share of the allowed age and so much below the allowed temperature: not just below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None: no limit."""

    age_ms: float | None = None
    """Of the median answer when it is put out."""
    temperature_c: float | None = None
    """Of the hottest sensor."""


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A step to ``rung`` (0 is the top) and why."""

    rung: int
    reason: str


class Ladder:
    """Rungs from 0, which does all, to ``rungs - 1``, which does least. Time is what it is told."""

    def __init__(self, rungs: int, limits: Limits, *, pinned: int | None = None) -> None:
        """``pinned``: stay on this rung."""
        self.rung = pinned or 0
        self._last, self._limits, self._pinned = rungs - 1, limits, pinned is not None
        self._ages: deque[tuple[float, float]] = deque()
        self._changed_s: float | None = None
        self._went_up_s = float("-inf")
        self._well_since_s: float | None = None
        self._calm_s = CALM_S

    def look(self, now_s: float, age_ms: float, temperature_c: float | None) -> Change | None:
        """An answer was put out at ``now_s`` that old, at that temperature: the step that follows, if any."""
        if self._pinned:
            return None
        if self._changed_s is None:
            self._changed_s = now_s
        self._ages.append((now_s, age_ms))
        while now_s - self._ages[0][0] > LOOK_S:
            self._ages.popleft()
        if now_s - self._changed_s < LOOK_S:
            return None
        middle_ms = statistics.median(age for _, age in self._ages)
        if trouble := self._trouble(middle_ms, temperature_c):
            self._well_since_s = None
            return self._down(now_s, trouble) if self.rung < self._last else None
        if not self._is_well(middle_ms, temperature_c):
            self._well_since_s = None
            return None
        if self._well_since_s is None:
            self._well_since_s = now_s
        if self.rung and now_s - self._well_since_s >= self._calm_s:
            self._went_up_s = now_s
            return self._step(self.rung - 1, now_s, f"all well for {self._calm_s:.0f} s")
        return None

    def _down(self, now_s: float, trouble: str) -> Change:
        lasted = now_s - self._went_up_s >= _LASTED_S
        self._calm_s = CALM_S if lasted else min(2 * self._calm_s, LONGEST_CALM_S)
        return self._step(self.rung + 1, now_s, trouble)

    def _step(self, rung: int, now_s: float, reason: str) -> Change:
        self.rung, self._changed_s, self._well_since_s = rung, now_s, None
        self._ages.clear()
        return Change(rung=rung, reason=reason)

    def _trouble(self, age_ms: float, temperature_c: float | None) -> str | None:
        limits = self._limits
        if limits.age_ms is not None and age_ms > limits.age_ms:
            return f"answers are {age_ms:.0f} ms old, {limits.age_ms:.0f} are allowed"
        if limits.temperature_c is not None and (temperature_c or 0) > limits.temperature_c:
            return f"{temperature_c:.0f} °C, {limits.temperature_c:.0f} are allowed"
        return None

    def _is_well(self, age_ms: float, temperature_c: float | None) -> bool:
        limits = self._limits
        young = limits.age_ms is None or age_ms < _EASE * limits.age_ms
        cool = limits.temperature_c is None or (temperature_c or 0) < limits.temperature_c - _EASE_C
        return young and cool
