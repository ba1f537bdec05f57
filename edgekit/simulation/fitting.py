"""Constants from measurements: additive, never negative, held to what other devices have in common.

A device sets three speeds (arithmetic, traffic, overhead); the population says how the terms of one group compare.
Errors are relative: a model of 2 ms counts as much as one of 2 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.simulation.solve import Array, least_squares
from edgekit.simulation.terms import GUESS, IN_GROUP

_HOLD = 0.007
"""How strongly a device's constants are held to the population: the weight of one measurement is 1."""
_HOLD_GROUPS = 0.1
"""The same, for the three speeds among each other."""
_HOLD_GUESS = 1.0
"""How strongly the population is held to the guesses of ``terms.py``."""
_LEAST = 0.02
_LEAST_GROUP = 0.03
_ROUNDS, _POPULATION_ROUNDS = 6, 12


@dataclass(frozen=True, slots=True)
class Points:
    """Measured models of one device, runtime, version, precision and number of threads."""

    terms: Array
    """Models by terms."""
    latency_ms: Array


def fit_population(devices: Sequence[Points]) -> Array:
    """What each term costs relative to its group, in units of the guesses."""
    population = np.ones(len(GUESS))
    shares = [_relative(points) for points in devices]
    for _ in range(_POPULATION_ROUNDS):
        normal = _HOLD_GUESS * np.eye(len(GUESS))
        right = np.full(len(GUESS), _HOLD_GUESS)
        for rows in shares:
            scaled = rows * (IN_GROUP @ _speeds(rows, population))
            normal += scaled.T @ scaled
            right += scaled.sum(axis=0)
        population = np.maximum(least_squares(normal, right), _LEAST)
    return population


def fit_constants(points: Points, population: Array) -> Array:
    """Milliseconds that one unit of each term takes."""
    rows = _relative(points)
    least = _LEAST_GROUP * _one_speed(rows, population)
    speeds = _speeds(rows, population)
    for _ in range(_ROUNDS):
        expected = population * (IN_GROUP @ speeds)
        hold = _HOLD / expected**2
        found = least_squares(rows.T @ rows + np.diag(hold), rows.sum(axis=0) + hold * expected)
        speeds = np.maximum(IN_GROUP.T @ (found / population) / IN_GROUP.sum(axis=0), least)
    return found * GUESS


def _relative(points: Points) -> Array:
    """What each term would take of its model's time at one millisecond a unit of the guess."""
    return points.terms * GUESS / points.latency_ms[:, None]


def _one_speed(rows: Array, population: Array) -> float:
    whole = rows @ population
    return float(whole.sum() / (whole @ whole))


def _speeds(rows: Array, population: Array) -> Array:
    """The three speeds of a device, were its terms in the population's proportions."""
    groups = (rows * population) @ IN_GROUP
    one = _one_speed(rows, population)
    hold = _HOLD_GROUPS / one**2
    found = least_squares(groups.T @ groups + hold * np.eye(groups.shape[1]), groups.sum(axis=0) + hold * one)
    return np.maximum(found, _LEAST_GROUP * one)
