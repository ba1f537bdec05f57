"""Which models to time on a new board: those that leave the least unknown of all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.simulation.crossing import points_of
from edgekit.simulation.fitting import NOISE, Array, Population, fit_population
from edgekit.simulation.published import nearest_population
from edgekit.simulation.terms import GUESS, Terms
from edgekit.vocabulary import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A model to measure."""

    name: str
    unsure: float
    """Standard deviation of the logarithm of other models' latencies once it and all probes before it were measured."""


def choose_probes(
    candidates: Mapping[str, Terms], population: Population, others: Array, *, count: int
) -> tuple[Probe, ...]:
    """The best ``count`` of ``candidates``, the most telling first; what was chosen before is measured already.

    ``others``: models by terms, whose latencies one wants to know. Each next probe is the one after which the mean
    variance of their logarithms is least: V-optimal design (Fedorov 1972), greedily, at the population's mean.
    """
    left = {name: _slope(terms, population) for name, terms in candidates.items()}
    wanted = np.array([_slope(terms, population) for terms in others])
    known, chosen = population.precision, list[Probe]()
    while left and len(chosen) < count:
        unsure = {name: _unsure(known + _told(slope), wanted) for name, slope in left.items()}
        name = min(unsure, key=lambda candidate: unsure[candidate])
        known = known + _told(left.pop(name))
        chosen.append(Probe(name=name, unsure=unsure[name]))
    return tuple(chosen)


def _slope(terms: Terms, population: Population) -> Array:
    """How the logarithm of a latency goes with those of the constants: the share of each term in it."""
    parts = terms * GUESS * np.exp(population.mean)
    return np.asarray(parts / parts.sum())


def _told(slope: Array) -> Array:
    """What one measurement adds to what is known."""
    return np.outer(slope, slope) / NOISE**2


def _unsure(known: Array, wanted: Array) -> float:
    variances = np.einsum("ij,jk,ik->i", wanted, np.linalg.inv(known), wanted)
    return float(np.sqrt(variances.mean()))


def recommend(
    candidates: Mapping[str, Terms], runtime: str, precision: Precision, *, count: int
) -> tuple[Probe, ...]:
    """The best ``count`` of ``candidates`` for a board on which ``runtime`` is to be predicted.

    By what boards with that runtime (else the nearest) have in common, for all models that were published of them.
    """
    series = nearest_population(runtime, precision)
    population = fit_population([points_of(points) for points in series.values()])
    others = np.unique([point.terms for points in series.values() for point in points], axis=0)
    return choose_probes(candidates, population, others, count=count)
