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

_BEYOND = 0.6
"""Standard deviation of what constants do not say of a latency's logarithm."""
_ALIKE = 0.3
"""Distance of models (Hellinger's times the square root of 2, between shares of time) up to which that is alike."""


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
    variance of their logarithms is least: V-optimal design (Fedorov 1972), greedily, at the population's mean. A
    logarithm is what constants say and what they do not: the latter is taken as a Gaussian process over models, alike
    where models spend their time alike, so that a model unlike all others tells of itself alone.
    """
    names, count = list(candidates), min(count, len(candidates))
    probes, wanted = (_slopes(models, population) for models in (np.array(list(candidates.values())), others))
    between = _covariance(probes, probes, population) + NOISE**2 * np.eye(len(names))
    across = _covariance(wanted, probes, population)
    before = np.array([_covariance(one, one, population)[0, 0] for one in wanted[:, None]])
    chosen = list[int]()
    unsure = list[float]()
    for _ in range(count):
        left = [place for place in range(len(names)) if place not in chosen]
        after = {place: _variance(between, across, before, [*chosen, place]) for place in left}
        best = min(left, key=lambda place: after[place])
        chosen.append(best)
        unsure.append(after[best] ** 0.5)
    return tuple(Probe(name=names[place], unsure=left) for place, left in zip(chosen, unsure, strict=True))


def _slopes(models: Array, population: Population) -> Array:
    """How the logarithm of each latency goes with those of the constants: the share of each term in it."""
    parts = models * GUESS * np.exp(population.mean)
    return np.asarray(parts / parts.sum(axis=1, keepdims=True))


def _covariance(these: Array, those: Array, population: Population) -> Array:
    """Of the logarithms of latencies: by the constants, and by what is beyond them."""
    by_constants = these @ np.linalg.inv(population.precision) @ those.T
    apart = np.sqrt(these)[:, None] - np.sqrt(those)[None]
    alike = np.exp(-(apart**2).sum(axis=2) / (2 * _ALIKE**2))
    return np.asarray(by_constants + _BEYOND**2 * alike)


def _variance(between: Array, across: Array, before: Array, measured: list[int]) -> float:
    """The mean of what is left of ``before`` once the probes in ``measured`` are."""
    told = across[:, measured]
    known = np.linalg.solve(between[np.ix_(measured, measured)], told.T)
    return float((before - np.einsum("ij,ji->i", told, known)).mean())


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
