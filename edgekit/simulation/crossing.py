"""How wrong predictions are for models that took no part in the fit, on any device: families, or what else is named."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from edgekit.simulation.fitting import NOISE, Points, fit_constants, fit_population
from edgekit.simulation.terms import Terms

Key = TypeVar("Key", bound=Hashable)
LEAST_POINTS = 3
"""Below that nothing is fitted."""


@dataclass(frozen=True, slots=True)
class Point:
    """One measured model."""

    model: str
    family: str
    latency_ms: float
    terms: Terms
    noise: float = NOISE
    """Standard deviation of the logarithm, as its source measures."""
    dilated_share: float = 0.0
    """Of its MACs: what dilated convolutions compute."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A point that was predicted without its family, or without another part of the measurements."""

    point: Point
    predicted_ms: float

    @property
    def error(self) -> float:
        return abs(self.predicted_ms / self.point.latency_ms - 1)

    @property
    def log_ratio(self) -> float:
        """Of the truth to the prediction."""
        return float(np.log(self.point.latency_ms / self.predicted_ms))


def points_of(points: Sequence[Point]) -> Points:
    return Points(
        terms=np.array([point.terms for point in points]),
        latency_ms=np.array([point.latency_ms for point in points]),
        noise=max(point.noise for point in points),
    )


def family_of(point: Point) -> str:
    return point.family


def cross_validate(
    devices: Mapping[Key, Sequence[Point]], part_of: Callable[[Point], str | None] = family_of
) -> Mapping[Key, tuple[HeldOut, ...]]:
    """Predict each family of models by all others: it is left out of every device, so of the population too.

    ``devices`` are of one runtime and precision. A device that has too few points without a family is not
    predicted for it. ``part_of`` says what else to leave out at a time; points of no part are never predicted.
    """
    parts = sorted({part for points in devices.values() for part in map(part_of, points) if part is not None})
    found: dict[Key, list[HeldOut]] = {key: [] for key in devices}
    for part in parts:
        for key, held_out in _without(devices, part, part_of):
            found[key].append(held_out)
    return {key: tuple(entries) for key, entries in found.items()}


def _without(
    devices: Mapping[Key, Sequence[Point]], part: str, part_of: Callable[[Point], str | None]
) -> Iterator[tuple[Key, HeldOut]]:
    known = {key: [point for point in points if part_of(point) != part] for key, points in devices.items()}
    fitted = {key: points_of(points) for key, points in known.items() if len(points) >= LEAST_POINTS}
    if not fitted:
        return
    population = fit_population(list(fitted.values()))
    for key, points in fitted.items():
        unseen = [point for point in devices[key] if part_of(point) == part]
        if unseen:
            constants = fit_constants(points, population)
            for point in unseen:
                yield key, HeldOut(point, float(point.terms @ constants))
