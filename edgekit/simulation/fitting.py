"""Constants from measurements: never negative, and as probable as those of other devices make them.

The logarithms of all devices' constants are taken as drawn from one normal distribution, the population. Its mean
says how terms compare, its covariance how devices differ: mostly as a whole, then in arithmetic, traffic and
overhead, and in what their kernels are good at. A device's constants are the most probable ones given its
measurements and the population. Errors are relative, as a model of 2 ms counts as much as one of 2 s, and large ones
count less than their square (Huber 1964).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.simulation.terms import GUESS, IN_GROUP

Array = NDArray[np.float64]
NOISE = 0.05
"""Standard deviation of the logarithms of latencies that one laboratory measured: re-measured boards of MLPerf."""
_HUBER = 0.25
"""From here on errors count as their absolute value."""
_WHOLE, _GROUP, _TERM = 1.0, 0.2, 0.1
"""Variances between devices where no measurement speaks: of all constants together, of a group's, of one term's."""
_HOLD_COVARIANCE = 3.0
"""Devices that these variances are worth, and:"""
_HOLD_MEAN = 3.0
"""devices that the guesses of ``terms.py`` are worth."""
_ROUNDS, _STEPS = 8, 12
_SMALL = 1e-6
"""A step that gains less is the last."""
_STIFF = 1e6


@dataclass(frozen=True, slots=True)
class Points:
    """Measured models of one device, runtime, version, precision and number of threads."""

    terms: Array
    """Models by terms."""
    latency_ms: Array
    noise: float = NOISE
    """Standard deviation of the logarithms of ``latency_ms``."""


@dataclass(frozen=True, slots=True)
class Population:
    """What the logarithms of constants are like, in units of the guesses and milliseconds."""

    mean: Array
    precision: Array
    """The inverse of the covariance, terms by terms."""


@dataclass(frozen=True, slots=True)
class _Fit:
    logs: Array
    covariance: Array
    """How unsure they are (Laplace's approximation)."""


def fit_population(devices: Sequence[Points]) -> Population:
    """By expectation and maximization: what each device is like, given the others; what they are like, given each."""
    logs = np.array([np.full(len(GUESS), _speed(points)) for points in devices])
    unsure = len(devices) * _prior()  # nothing is known yet: from less, rounds would widen it slowly
    for _ in range(_ROUNDS):
        population = _population(logs, unsure)
        fits = [_fit(points, population, start) for points, start in zip(devices, logs, strict=True)]
        logs = np.array([fit.logs for fit in fits])
        unsure = np.sum([fit.covariance for fit in fits], axis=0)
    return _population(logs, unsure)


def fit_constants(points: Points, population: Population) -> Array:
    """Milliseconds that one unit of each term takes."""
    logs = _fit(points, population, population.mean).logs
    return np.asarray(np.exp(logs) * GUESS)


def _speed(points: Points) -> float:
    """The logarithm of what one unit takes, were all terms as guessed."""
    return float(np.median(np.log(points.latency_ms / (points.terms @ GUESS))))


def _population(logs: Array, unsure: Array) -> Population:
    """The most probable one; ``unsure``: the sum of the devices' covariances."""
    count = len(logs)
    average = logs.mean(axis=0)
    mean = (count * average + _HOLD_MEAN * average.mean()) / (count + _HOLD_MEAN)
    off = logs - mean
    covariance = (off.T @ off + unsure + _HOLD_COVARIANCE * _prior()) / (count + _HOLD_COVARIANCE)
    return Population(mean=mean, precision=np.linalg.inv(covariance))


def _prior() -> Array:
    """The covariance of devices that nobody measured."""
    size = len(GUESS)
    return _WHOLE * np.ones((size, size)) + _GROUP * IN_GROUP @ IN_GROUP.T + _TERM * np.eye(size)


def _fit(points: Points, population: Population, start: Array) -> _Fit:
    """The most probable logarithms, by Levenberg and Marquardt's steps from ``start``."""
    amounts, wanted = points.terms * GUESS, np.log(points.latency_ms)

    def cost_at(logs: Array) -> float:
        off = np.abs(np.log(amounts @ np.exp(logs)) - wanted)
        losses = np.where(off < _HUBER, off**2, 2 * _HUBER * off - _HUBER**2)
        from_mean = logs - population.mean
        return float(losses.sum() / points.noise**2 + from_mean @ population.precision @ from_mean)

    logs, damping, cost = start, 1e-3, cost_at(start)
    curvature = population.precision
    for _ in range(_STEPS):
        parts = amounts * np.exp(logs)
        whole = parts.sum(axis=1)
        slope, off = parts / whole[:, None], np.log(whole) - wanted
        weights = np.minimum(1.0, _HUBER / np.maximum(np.abs(off), _SMALL)) / points.noise**2
        curvature = (slope * weights[:, None]).T @ slope + population.precision
        gradient = (slope * weights[:, None]).T @ off + population.precision @ (logs - population.mean)
        step, better, damping = _step(cost_at, logs, curvature, gradient, damping)
        gained, logs, cost = cost - better, logs - step, better
        if gained < _SMALL * max(1.0, cost):
            break
    return _Fit(logs=logs, covariance=np.asarray(np.linalg.inv(curvature), float))


def _step(
    cost_at: Callable[[Array], float], logs: Array, curvature: Array, gradient: Array, damping: float
) -> tuple[Array, float, float]:
    """A step that does not raise the cost, the cost after it, and the next damping."""
    cost = cost_at(logs)
    while damping < _STIFF:
        damped = curvature + damping * np.diag(np.diag(curvature))
        step: Array = np.asarray(np.linalg.solve(damped, gradient), float)
        after = cost_at(logs - step)
        if after <= cost:
            return step, after, max(damping / 10, 1e-9)
        damping *= 10
    return np.zeros_like(logs), cost, damping
