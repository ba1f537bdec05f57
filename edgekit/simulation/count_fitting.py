"""Constants from emulated counts and published latencies: one set for a board and a number of threads.

They serve floats and integers alike, for an instruction takes its time whatever it is for. What few models leave open
is held to what boards with the same core say in the mean, in cycles, and that to guesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from edgekit.simulation.calibrating import Calibration, calibration_of
from edgekit.simulation.count_points import CountedRun
from edgekit.simulation.count_terms import COUNT_NAMES, GUESS_CYCLES
from edgekit.simulation.crossing import LEAST_POINTS, HeldOut
from edgekit.simulation.solve import Array, least_squares
from edgekit.simulation.terms import Terms

_HOLD = 0.01
"""How strongly constants are held, relative to what is expected; the weight of one measurement is 1."""
_LEAST = 0.05
"""Of the guess, and no less, is expected of a constant: from nothing it could not be told by how much it differs."""


def fit_counts(run: CountedRun, expected_cycles: Terms = GUESS_CYCLES) -> Array:
    """Milliseconds that one of each term takes: least squares of relative errors, none negative."""
    expected = expected_cycles / run.clock_hz * 1e3
    rows = np.array([point.terms / point.latency_ms for point in run.points]) * expected
    normal = rows.T @ rows + _HOLD * np.eye(len(expected))
    return least_squares(normal, rows.sum(axis=0) + _HOLD) * expected


def core_cycles(runs: Sequence[CountedRun]) -> Terms:
    """What one of each term takes on a core, in cycles: the mean of its boards."""
    each = [fit_counts(run) * run.clock_hz / 1e3 for run in runs]
    return np.maximum(np.mean(each, axis=0), _LEAST * GUESS_CYCLES)


def cross_validate_counts(run: CountedRun, akin: Sequence[CountedRun]) -> tuple[HeldOut, ...]:
    """Predict each family of models by all others; it is left out of every run of ``akin`` as well."""
    found = []
    for family in sorted({point.family for point in run.points}):
        (known,), others = _without([run], family), _without(akin, family)
        if len(known.points) < LEAST_POINTS:
            continue
        constants = fit_counts(known, core_cycles(list(others)))
        found += [
            HeldOut(point, float(point.terms @ constants)) for point in run.points if point.family == family
        ]
    return tuple(found)


def _without(runs: Sequence[CountedRun], family: str) -> Iterator[CountedRun]:
    for run in runs:
        yield replace(run, points=tuple(point for point in run.points if point.family != family))


def calibrate_counts(run: CountedRun, akin: Sequence[CountedRun]) -> Calibration:
    """The constants of one board and number of threads, with their error for families left out.

    akin: runs on the same core, ``run`` among them.
    """
    held_out = cross_validate_counts(run, akin)
    seen = np.sum([point.terms for point in run.points], axis=0) > 0  # nothing is said of what no model had
    constants_ps = fit_counts(run, core_cycles(akin)) * seen * 1e9
    return calibration_of(run.points, COUNT_NAMES, constants_ps, held_out, held_out)
