"""How much constants for emulated counts gain by each choice in them, and what a choice without the family would give.

    python benchmarks/count_choices.py

Prints median and 90th percentile of errors, in percent, for families left out, of each of the profiles' runs; then the
same where the choice itself was made without the family (nested cross-validation), by the mean error of all runs.
Takes half a minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgekit.catalog import load_catalog
from edgekit.simulation.count_fitting import core_cycles, fit_counts
from edgekit.simulation.count_points import CountedRun, counted_runs
from edgekit.simulation.count_terms import COUNT_NAMES

LEVELS = ("l1", "middle", "last")
APART: Mapping[str, tuple[str, ...]] = {"none": (), "last": ("last",), "all": LEVELS}
"""Caches whose misses by stores are apart from others."""
CHOICES = tuple((apart, held) for apart in APART for held in (False, True))
"""And whether constants are held to the mean of the core."""
MOST = 0.5
"""An error counts no more than that in a mean."""
Choice = tuple[str, bool]
Errors = Mapping[int, Sequence[float]]
"""By the run's place."""


def main() -> None:
    runs = [run for profile in load_catalog().profiles.values() for run in counted_runs(profile)]
    merged = {apart: [with_terms(run, levels) for run in runs] for apart, levels in APART.items()}
    families = sorted({point.family for run in runs for point in run.points})
    print("; ".join(f"{run.series[0].board} x {run.threads}" for run in runs))
    for choice in CHOICES:
        show(str(choice), [errors(merged, choice, family, frozenset()) for family in families])
    nested, picked = [], []
    for family in families:
        others = [item for item in families if item != family]
        means = {
            choice: mean(errors(merged, choice, item, frozenset([family])) for item in others)
            for choice in CHOICES
        }
        picked.append(min(means, key=means.__getitem__))
        nested.append(errors(merged, picked[-1], family, frozenset()))
    show("nested", nested)
    print(Counter(picked))


def with_terms(run: CountedRun, levels: Sequence[str]) -> CountedRun:
    """Misses by stores added to the others, but for those of ``levels``."""
    points = []
    for point in run.points:
        terms = dict(zip(COUNT_NAMES, point.terms.tolist(), strict=True))
        for level in set(LEVELS) - set(levels):
            terms[f"{level}_misses"] += terms[f"{level}_written"]
            terms[f"{level}_written"] = 0
        points.append(replace(point, terms=np.array([terms[name] for name in COUNT_NAMES])))
    return replace(run, points=tuple(points))


def errors(
    merged: Mapping[str, Sequence[CountedRun]], choice: Choice, family: str, hidden: frozenset[str]
) -> Errors:
    """Of ``family``, predicted by all others but those ``hidden``."""
    apart, held = choice
    known = [
        replace(run, points=tuple(point for point in run.points if point.family not in hidden | {family}))
        for run in merged[apart]
    ]
    found = {}
    for place, run in enumerate(known):
        akin = [item for item in known if item.core == run.core and (item.threads == 1) == (run.threads == 1)]
        constants = fit_counts(run, core_cycles(akin)) if held else fit_counts(run)
        found[place] = [
            float(abs(point.terms @ constants / point.latency_ms - 1))
            for point in merged[apart][place].points
            if point.family == family
        ]
    return found


def mean(found: Iterator[Errors]) -> float:
    every = [error for by_run in found for several in by_run.values() for error in several]
    return float(np.mean(np.minimum(every, MOST)))


def show(title: str, found: Sequence[Errors]) -> None:
    columns = []
    for place in found[0]:
        several = [error for by_run in found for error in by_run[place]]
        columns.append(f"{100 * np.median(several):.1f}/{100 * np.quantile(several, 0.9):.0f}")
    print(f"{title:18}", *columns, f"mean {100 * mean(iter(found)):.2f}", flush=True)


if __name__ == "__main__":
    main()
