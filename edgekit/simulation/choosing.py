"""Which published series a profile keeps: of one runtime, precision and number of threads, the fastest run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.simulation.crossing import Point
from edgekit.simulation.published import Series

_MOST = 0.6
"""A run of fewer models than this share of the largest run's is no choice."""
_LEAST_FAMILIES = 3


def chosen(published: Mapping[Series, Sequence[Point]], board: str) -> tuple[Series, ...]:
    """The series of ``board`` to calibrate on.

    Slower runs are of older versions, of smaller cores, or of a board that throttled; sources do not say which.
    """
    runs: dict[tuple[str, str, int], list[Series]] = defaultdict(list)
    for series, points in published.items():
        if series.board == board and len({point.family for point in points}) >= _LEAST_FAMILIES:
            runs[series.runtime, series.precision, series.threads].append(series)
    return tuple(_fastest(published, alternatives) for alternatives in runs.values())


def _fastest(published: Mapping[Series, Sequence[Point]], runs: Sequence[Series]) -> Series:
    largest = max(runs, key=lambda series: len(published[series]))
    reference = {point.model: point.latency_ms for point in published[largest]}
    whole = [series for series in runs if len(published[series]) >= _MOST * len(reference)]
    return min(whole, key=lambda series: _slowness(published[series], reference))


def _slowness(points: Sequence[Point], reference: Mapping[str, float]) -> float:
    ratios = [point.latency_ms / reference[point.model] for point in points if point.model in reference]
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else float("inf")
