"""What of emulated counts takes a core's time: nine amounts, each with a guess of its cycles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.simulation.terms import Terms

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CountTerm:
    """One sum of counts."""

    guess_cycles: float
    """What one takes where no measurement speaks: nearly two instructions in a cycle, a miss that the next cache
    serves, one that goes to memory while others are under way."""
    of: Callable[[Counts, Counts], int]
    """From instructions by class and misses by level of cache."""
    title: str


def _classes(names: str) -> Callable[[Counts, Counts], int]:
    return lambda by_class, misses: sum(by_class[name] for name in names.split())


COUNT_TERMS: Mapping[str, CountTerm] = {
    "fma": CountTerm(0.6, _classes("fma"), "fused multiply-adds"),
    "integer_products": CountTerm(0.6, _classes("int_mac dot i8mm"), "integer products and dot products"),
    "vector": CountTerm(0.6, _classes("vector"), "other vector instructions"),
    "loads": CountTerm(0.6, _classes("vector_load load"), "loads"),
    "stores": CountTerm(1, _classes("vector_store store"), "stores"),
    "scalar": CountTerm(0.6, _classes("branch scalar"), "branches and scalar arithmetic"),
    "l1_misses": CountTerm(6, lambda by_class, misses: misses["l1"], "misses of the first cache"),
    "middle_misses": CountTerm(
        14, lambda by_class, misses: misses["l2"] if "l3" in misses else 0, "misses of L2 before L3"
    ),
    "last_misses": CountTerm(20, lambda by_class, misses: misses[max(misses)], "misses of the last cache"),
}
COUNT_NAMES = tuple(COUNT_TERMS)
GUESS_CYCLES: Terms = np.array([term.guess_cycles for term in COUNT_TERMS.values()])


def count_terms(by_class: Counts, misses: Counts) -> Terms:
    """How much of each term one inference is, in the order of ``COUNT_NAMES``."""
    return np.array([term.of(by_class, misses) for term in COUNT_TERMS.values()], float)
