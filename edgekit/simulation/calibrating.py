"""Measurements -> what a profile keeps of them: constants, their error, an interval."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

import numpy as np

from edgekit.simulation.crossing import HeldOut, Point, cross_validate, points_of
from edgekit.simulation.fitting import fit_constants, fit_population
from edgekit.simulation.terms import NAMES
from edgekit.simulation.work import DILATED

Key = TypeVar("Key", bound=Hashable)
_WITHIN = 0.9
"""Share of held-out measurements inside the interval; ten points over what is promised, as ranks are estimates."""
_OWN = 12
"""With fewer held-out measurements of its own, a series takes the interval of all, and:"""
_LEAST = 1.25
"""its interval is never narrower. Runs of one board differ by as much, and so few measurements do not tell."""
_STANDARD = NormalDist().inv_cdf((1 + _WITHIN) / 2)
"""Standard deviations to each side that hold as many of a normal distribution."""
_DILATED_SHARE, _FAMILIES_WITH = 0.1, 3
"""Share of the MACs, and families of models with as much, that make dilated convolutions known: one family is no rule."""
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """The constants of one series of measurements."""

    constants_ps: Mapping[str, float]
    covered: tuple[str, ...]
    measurements: int
    families: int
    median_pct: float
    p90_pct: float
    interval_factor: float
    latency_ms: tuple[float, float]
    transferred_from: str | None = None
    """The profile of another chip, whose measurements these are."""


def calibrate(population: Mapping[Key, Sequence[Point]], wanted: Iterable[Key]) -> Mapping[Key, Calibration]:
    """Constants of the ``wanted`` series, fitted beside all of ``population``, which holds them."""
    held_out = cross_validate(population)
    everywhere = [entry for entries in held_out.values() for entry in entries]
    common = fit_population([points_of(points) for points in population.values()])
    found = {}
    for key in wanted:
        points = population[key]
        constants_ps = fit_constants(points_of(points), common) * 1e9
        found[key] = calibration_of(points, NAMES, constants_ps, held_out[key], everywhere)
    return found


def calibration_of(
    points: Sequence[Point],
    names: Sequence[str],
    constants_ps: np.ndarray,
    own: Sequence[HeldOut],
    everywhere: Sequence[HeldOut],
) -> Calibration:
    """Constants by their ``names``, with the error and the interval of held-out measurements.

    The error is that of ``everywhere`` where the series has none of its own.
    """
    times = [point.latency_ms for point in points]
    return Calibration(
        constants_ps=_named(names, constants_ps),
        covered=_covered(names, points),
        measurements=len(points),
        families=len({point.family for point in points}),
        median_pct=_percent(own or everywhere, 0.5),
        p90_pct=_percent(own or everywhere, 0.9),
        interval_factor=interval_factor(own, everywhere, _excess(points, constants_ps)),
        latency_ms=(_rounded(min(times)), _rounded(max(times))),
    )


def interval_factor(own: Sequence[HeldOut], everywhere: Sequence[HeldOut], excess: float = 0.0) -> float:
    """What to divide and multiply a prediction by, for four of five latencies to lie between.

    ``excess``: variance of the logarithms of a board's own measurements beyond what is usual of their source. Errors
    of other boards do not know of it, and with few of its own it adds to theirs.
    """
    off = np.abs([entry.log_ratio for entry in (own if len(own) >= _OWN else everywhere)])
    reach = float(np.quantile(off, _WITHIN))
    if len(own) < _OWN:
        reach = float(np.hypot(max(reach, np.log(_LEAST)), _STANDARD * excess**0.5))
    return _rounded(float(np.exp(reach)))


def _excess(points: Sequence[Point], constants_ps: np.ndarray) -> float:
    """How much noisier ``points`` are than their source's usually are: by what a fit to them leaves."""
    left = [np.log(point.latency_ms / float(point.terms @ constants_ps / 1e9)) for point in points]
    return max(float(np.mean(np.square(left))) - max(point.noise for point in points) ** 2, 0.0)


def _named(names: Sequence[str], constants: np.ndarray) -> dict[str, float]:
    return {name: _rounded(value) for name, value in zip(names, constants.tolist(), strict=True) if value > 0}


def _covered(names: Sequence[str], points: Sequence[Point]) -> tuple[str, ...]:
    total = np.array([point.terms for point in points]).sum(axis=0)
    found = tuple(name for name, value in zip(names, total.tolist(), strict=True) if value > 0)
    dilated = {point.family for point in points if point.dilated_share > _DILATED_SHARE}
    return (*found, DILATED) if len(dilated) >= _FAMILIES_WITH else found


def _percent(entries: Sequence[HeldOut], quantile: float) -> float:
    return round(100 * float(np.quantile([entry.error for entry in entries], quantile)), 1)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
