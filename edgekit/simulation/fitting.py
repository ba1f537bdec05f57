"""Constants from measurements: never negative, and as probable as those of other devices make them.

The logarithms of all devices' constants are taken as drawn from one normal distribution, the population. Its mean
says how terms compare, its covariance how devices differ: mostly as a whole, then in arithmetic, traffic and
overhead, and in what their kernels are good at. A device's constants are the most probable ones given its
measurements and the population. Errors are relative, as a model of 2 ms counts as much as one of 2 s, and large ones
count less than their square (Huber 1964).
"""

from __future__ import annotations

from collections.abc import Sequence
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
class _Devices:
    """Several devices side by side, so that each step is one call for all of them; models that one lacks weigh nothing."""

    amounts: Array
    """Devices by models by terms, in units of the guesses."""
    wanted: Array
    """Logarithms of the latencies."""
    weights: Array
    """Of the errors' squares: devices by models."""

    def __getitem__(self, places: NDArray[np.intp]) -> _Devices:
        return _Devices(self.amounts[places], self.wanted[places], self.weights[places])


@dataclass(frozen=True, slots=True)
class _Fits:
    logs: Array
    """Devices by terms."""
    covariance: Array
    """How unsure they are (Laplace's approximation): devices by terms by terms."""


def fit_population(devices: Sequence[Points]) -> Population:
    """By expectation and maximization: what each device is like, given the others; what they are like, given each."""
    together = _together(devices)
    logs = np.array([np.full(len(GUESS), _speed(points)) for points in devices])
    unsure = len(devices) * _prior()  # nothing is known yet: from less, rounds would widen it slowly
    for _ in range(_ROUNDS):
        population = _population(logs, unsure)
        fits = _fit(together, population, logs)
        logs, unsure = fits.logs, fits.covariance.sum(axis=0)
    return _population(logs, unsure)


def fit_constants(points: Points, population: Population) -> Array:
    """Milliseconds that one unit of each term takes."""
    (logs,) = _fit(_together([points]), population, population.mean[None]).logs
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


def _together(devices: Sequence[Points]) -> _Devices:
    """Shorter ones are filled up with their first model again, at no weight."""
    longest = max(len(points.latency_ms) for points in devices)
    places = [np.arange(longest) % len(points.latency_ms) for points in devices]
    weights = [(np.arange(longest) < len(points.latency_ms)) / points.noise**2 for points in devices]
    return _Devices(
        amounts=np.array([points.terms[at] * GUESS for points, at in zip(devices, places, strict=True)]),
        wanted=np.log([points.latency_ms[at] for points, at in zip(devices, places, strict=True)]),
        weights=np.array(weights),
    )


def _fit(devices: _Devices, population: Population, start: Array) -> _Fits:
    """The most probable logarithms, by Levenberg and Marquardt's steps from ``start``, each device until it is there."""
    logs, damping, cost = start.copy(), np.full(len(start), 1e-3), _cost(devices, population, start)
    curvature = np.broadcast_to(population.precision, (len(start), *population.precision.shape)).copy()
    going = np.arange(len(start))
    for _ in range(_STEPS):
        some, at = devices[going], logs[going]
        curvature[going], gradient = _derivatives(some, population, at)
        step = _step(some, population, at, cost[going], curvature[going], gradient, damping[going])
        gained = cost[going] - step.cost
        logs[going], cost[going], damping[going] = step.logs, step.cost, step.damping
        going = going[gained >= _SMALL * np.maximum(1.0, step.cost)]
        if not len(going):
            break
    return _Fits(logs=logs, covariance=np.asarray(np.linalg.inv(curvature), float))


def _cost(devices: _Devices, population: Population, logs: Array) -> Array:
    """Minus twice the logarithm of the probability, but for a constant, of each device."""
    off = np.abs(np.log(_products(devices.amounts, np.exp(logs))) - devices.wanted)
    losses = np.where(off < _HUBER, off**2, 2 * _HUBER * off - _HUBER**2)
    from_mean = logs - population.mean
    held = ((from_mean @ population.precision) * from_mean).sum(axis=1)
    return np.asarray((losses * devices.weights).sum(axis=1) + held)


def _derivatives(devices: _Devices, population: Population, logs: Array) -> tuple[Array, Array]:
    """Half the second and the first derivatives of the cost by the logarithms."""
    parts = devices.amounts * np.exp(logs)[:, None, :]
    whole = parts.sum(axis=2)
    slope, off = parts / whole[:, :, None], np.log(whole) - devices.wanted
    weights = devices.weights * np.minimum(1.0, _HUBER / np.maximum(np.abs(off), _SMALL))
    weighted = (slope * weights[:, :, None]).transpose(0, 2, 1)
    gradient = _products(weighted, off) + (logs - population.mean) @ population.precision
    return np.asarray(weighted @ slope + population.precision), np.asarray(gradient)


@dataclass(frozen=True, slots=True)
class _Step:
    """Where it leads, what the cost is there, and the next damping, of each device."""

    logs: Array
    cost: Array
    damping: Array


def _step(
    devices: _Devices,
    population: Population,
    logs: Array,
    cost: Array,
    curvature: Array,
    gradient: Array,
    damping: Array,
) -> _Step:
    """Steps that do not raise the cost; where none is found, none."""
    found = _Step(logs=logs.copy(), cost=cost.copy(), damping=damping.copy())
    diagonal = curvature * np.eye(curvature.shape[1])
    seeking = np.flatnonzero(damping < _STIFF)
    while len(seeking):
        damped = curvature[seeking] + found.damping[seeking, None, None] * diagonal[seeking]
        there = logs[seeking] - np.linalg.solve(damped, gradient[seeking][:, :, None])[:, :, 0]
        after = _cost(devices[seeking], population, there)
        good = after <= cost[seeking]
        took, seeking_on = seeking[good], seeking[~good]
        found.logs[took], found.cost[took] = there[good], after[good]
        found.damping[took] = np.maximum(found.damping[took] / 10, 1e-9)
        found.damping[seeking_on] *= 10
        seeking = seeking_on[found.damping[seeking_on] < _STIFF]
    return found


def _products(matrices: Array, vectors: Array) -> Array:
    """One by one."""
    return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])
