"""What counts of one inference take on a board: a profile's constants times the terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgekit.catalog_schema import CountedSpeed
from edgekit.simulation.count_terms import COUNT_NAMES, Counts, count_terms
from edgekit.simulation.predict import Latency, beyond, interval

ELSEWHERE = 1.4
"""The least factor of an interval for another runtime than that of the constants: six published latencies of XNNPACK on a
Raspberry Pi 4 lie within it around what ncnn's constants make of LiteRT's counts at 1.5 GHz, four of them at 1.8."""
_HELD: tuple[str, ...] = ("litert", "tflite-runtime")
"""The runtimes that those six are of; no others were held to measurements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedPrediction:
    """Predicted from emulated counts."""

    latency_ms: Latency
    outside: tuple[str, ...]
    """Why the interval counts twice; empty where it does not."""


def predict_counts(speed: CountedSpeed, runtime: str, counts: Counts) -> CountedPrediction:
    """``runtime``: whose code was counted; ``counts``: of one inference on one thread."""
    constants_ps = np.array([speed.constants_ps.get(name, 0.0) for name in COUNT_NAMES])
    p50 = float(constants_ps @ count_terms(counts)) / 1e9
    own = runtime == speed.runtime
    outside = (*_unchecked(speed, runtime), *beyond(speed, p50))
    factor = speed.interval_factor if own else max(speed.interval_factor, ELSEWHERE)
    return CountedPrediction(latency_ms=interval(factor, p50, outside), outside=outside)


def _unchecked(speed: CountedSpeed, runtime: str) -> Iterator[str]:
    if runtime not in (speed.runtime, *_HELD):
        yield f"the constants are {speed.runtime}'s, and {runtime} was not held to measurements"
