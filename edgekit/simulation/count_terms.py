"""What of emulated counts takes a core's time: twelve amounts, each with a guess of its cycles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgekit.simulation.terms import Terms


class Counts(Protocol):
    """One inference."""

    @property
    def by_class(self) -> Mapping[str, int]:
        """Instructions."""

    @property
    def cache_misses(self) -> Mapping[str, int]:
        """By level."""

    @property
    def written_misses(self) -> Mapping[str, int]:
        """Those that stores made."""


@dataclass(frozen=True, slots=True)
class CountTerm:
    """One sum of counts."""

    guess_cycles: float
    """What one takes where no measurement speaks: nearly two instructions in a cycle, a miss that the next cache
    serves, one that goes to memory while others are under way."""
    of: Callable[[Counts], int]
    title: str


def _classes(names: str) -> Callable[[Counts], int]:
    return lambda counts: sum(counts.by_class[name] for name in names.split())


def _first(counts: Counts) -> str:
    return "l1"


def _middle(counts: Counts) -> str:
    return "l2" if "l3" in counts.cache_misses else ""


def _last(counts: Counts) -> str:
    return max(counts.cache_misses)


def _written(level: Callable[[Counts], str]) -> Callable[[Counts], int]:
    """Told apart where there is an L3: cores without one were counted before the plugin told them apart."""
    return lambda counts: counts.written_misses.get(level(counts), 0) if "l3" in counts.cache_misses else 0


def _read(level: Callable[[Counts], str]) -> Callable[[Counts], int]:
    return lambda counts: counts.cache_misses.get(level(counts), 0) - _written(level)(counts)


COUNT_TERMS: Mapping[str, CountTerm] = {
    "fma": CountTerm(0.6, _classes("fma"), "fused multiply-adds"),
    "integer_products": CountTerm(0.6, _classes("int_mac dot i8mm"), "integer products and dot products"),
    "vector": CountTerm(0.6, _classes("vector"), "other vector instructions"),
    "loads": CountTerm(0.6, _classes("vector_load load"), "loads"),
    "stores": CountTerm(1, _classes("vector_store store"), "stores"),
    "scalar": CountTerm(0.6, _classes("branch scalar"), "branches and scalar arithmetic"),
    "l1_misses": CountTerm(6, _read(_first), "misses of the first cache"),
    "middle_misses": CountTerm(14, _read(_middle), "misses of L2 before L3"),
    "last_misses": CountTerm(20, _read(_last), "misses of the last cache"),
    "l1_written": CountTerm(6, _written(_first), "misses of the first cache that stores make"),
    "middle_written": CountTerm(14, _written(_middle), "misses of L2 before L3 that stores make"),
    "last_written": CountTerm(20, _written(_last), "misses of L3 that stores make: written back as well"),
}
COUNT_NAMES = tuple(COUNT_TERMS)
GUESS_CYCLES: Terms = np.array([term.guess_cycles for term in COUNT_TERMS.values()])


def count_terms(counts: Counts) -> Terms:
    """How much of each term one inference is, in the order of ``COUNT_NAMES``."""
    return np.array([term.of(counts) for term in COUNT_TERMS.values()], float)
