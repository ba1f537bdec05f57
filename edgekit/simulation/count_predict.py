"""What counts of one inference take on a board: a profile's constants times the terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.catalog_schema import CountedSpeed
from edgekit.simulation.count_terms import COUNT_NAMES, Counts, count_terms
from edgekit.simulation.predict import Latency, beyond, interval


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedPrediction:
    """Predicted from emulated counts."""

    latency_ms: Latency
    outside: tuple[str, ...]
    """Why the interval counts twice; empty where it does not."""


def predict_counts(
    speed: CountedSpeed, by_class: Counts, misses: Counts, *, unlike: Sequence[str] = ()
) -> CountedPrediction:
    """``by_class``, ``misses``: of one inference on one thread. ``unlike``: what else sets it apart from those
    calibrated on."""
    constants_ps = np.array([speed.constants_ps.get(name, 0.0) for name in COUNT_NAMES])
    p50 = float(constants_ps @ count_terms(by_class, misses)) / 1e9
    outside = (*unlike, *beyond(speed, p50))
    return CountedPrediction(latency_ms=interval(speed, p50, outside), outside=outside)
