"""Constants from emulated counts and published latencies: one set for a board and a number of threads.

They serve floats and integers alike, for an instruction takes its time whatever it is for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.simulation.calibrating import Calibration, calibration_of
from edgekit.simulation.count_terms import COUNT_NAMES, GUESS_CYCLES
from edgekit.simulation.crossing import LEAST_POINTS, HeldOut, Point
from edgekit.simulation.solve import Array, least_squares

_HOLD = 0.01
"""How strongly constants are held to the guesses; the weight of one measurement is 1."""


def fit_counts(points: Sequence[Point], clock_hz: float) -> Array:
    """Milliseconds that one of each term takes: least squares of relative errors, none negative."""
    guess = GUESS_CYCLES / clock_hz * 1e3
    rows = np.array([point.terms / point.latency_ms for point in points]) * guess
    normal = rows.T @ rows + _HOLD * np.eye(len(guess))
    return least_squares(normal, rows.sum(axis=0) + _HOLD) * guess


def cross_validate_counts(points: Sequence[Point], clock_hz: float) -> tuple[HeldOut, ...]:
    """Predict each family of models by all others."""
    found = []
    for family in sorted({point.family for point in points}):
        known = [point for point in points if point.family != family]
        if len(known) < LEAST_POINTS:
            continue
        constants = fit_counts(known, clock_hz)
        found += [
            HeldOut(point, float(point.terms @ constants)) for point in points if point.family == family
        ]
    return tuple(found)


def calibrate_counts(points: Sequence[Point], clock_hz: float) -> Calibration:
    """The constants of one board and number of threads, with their error for families left out."""
    held_out = cross_validate_counts(points, clock_hz)
    constants_ps = fit_counts(points, clock_hz) * 1e9
    return calibration_of(points, COUNT_NAMES, constants_ps, held_out, held_out)
