"""What is searched: converter and variant, activation ranges, rounding of weights, threads."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from edgekit.quantization.observers import RangeMethod

if TYPE_CHECKING:
    from edgekit.conversion.candidates import Candidate
    from edgekit.conversion.workshop import Options

Rounding = Literal["fitted", "nearest"]
EVERY_COUNT = 8
"""Up to so many threads each count is tried, beyond them the doubles, and all of them in any case."""
_FITS: Mapping[Rounding, str] = {"fitted": "best", "nearest": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing to try."""

    candidate: str
    """Its name in the space."""
    ranges: RangeMethod | None
    """None, both: what quantizes this candidate chooses for itself, or nothing is quantized."""
    rounding: Rounding | None
    threads: int

    @property
    def artifact(self) -> str:
        """What is built, for people."""
        return " ".join(part for part in (self.candidate, self.ranges, self.rounding) if part)

    @property
    def label(self) -> str:
        return f"{self.artifact}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def quantization(self) -> Options:
        """What ``Workshop.build`` is told."""
        if self.ranges is None or self.rounding is None:
            return {}
        return {"ranges": self.ranges, "fits": _FITS[self.rounding]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """All points there are."""

    names: tuple[str, ...]
    """Of all candidates that were planned; those that cannot be built today have no points."""
    candidates: Mapping[str, Candidate]
    """Those that can be built."""
    threads: tuple[int, ...]
    points: tuple[Point, ...]

    @classmethod
    def over(cls, plan: Sequence[Candidate], threads: int) -> Space:
        """The points of a plan's candidates on 1 to ``threads`` threads."""
        named = _named([candidate for candidate in plan if candidate.chain])
        open_ones = {name: candidate for name, candidate in named.items() if candidate.reason is None}
        counts = thread_counts(threads)
        points = tuple(point for name, found in open_ones.items() for point in _points(name, found, counts))
        return cls(names=tuple(named), candidates=open_ones, threads=counts, points=points)

    def in_order(self, seed: int) -> tuple[Point, ...]:
        """All points in an order that ``seed`` decides: first one of each candidate, then the others."""
        drawn = list(self.points)
        random.Random(seed).shuffle(drawn)
        first: dict[str, Point] = {}
        for point in drawn:
            first.setdefault(point.candidate, point)
        heads = tuple(first[name] for name in self.candidates)
        return heads + tuple(point for point in drawn if first[point.candidate] is not point)


def thread_counts(most: int) -> tuple[int, ...]:
    """Counts worth a try on a target that gives ``most`` threads to inference."""
    doubles = (1 << power for power in range(most.bit_length()))
    return tuple(sorted({*range(1, min(most, EVERY_COUNT) + 1), *doubles, most}))


def _named(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """A name for each: its label, with the way and the runtime where two have the same."""
    seen = Counter(candidate.label for candidate in candidates)
    return {
        item.label if seen[item.label] == 1 else f"{item.label} ({item.way}, {item.runtime.id})": item
        for item in candidates
    }


def _points(name: str, candidate: Candidate, counts: Sequence[int]) -> Iterator[Point]:
    ours = candidate.quantizer.variant.quantized_by == "edgekit"
    ranges: tuple[RangeMethod | None, ...] = get_args(RangeMethod) if ours else (None,)
    roundings: tuple[Rounding | None, ...] = get_args(Rounding) if ours else (None,)
    for method in ranges:
        for rounding in roundings:
            for threads in counts:
                yield Point(candidate=name, ranges=method, rounding=rounding, threads=threads)
