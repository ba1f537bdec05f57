"""Pairs of processes in turn: equals stay equal whatever the neighbours do, five percent are found."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgekit.profiling.comparison import Comparison, MetricName, Verdict
from edgekit.profiling.live import PAIRS, Pair, Side, pair_metrics
from edgekit.profiling.record import Start
from tests.profiling.synthetic import BUSY, QUIET, Machine, Random, timed_block

TRIALS, BLOCKS = 60, 20


def _pairs(random: Random, machine: Machine, slower: float) -> list[Pair]:
    """As ``compare`` takes them: each process with a memory layout of its own."""

    def side(ms: float) -> Side:
        own = ms * np.exp(random.normal(0, machine.layout))
        cpu = 200 * np.exp(random.normal(0, 0.02))
        return Side(
            start=Start(wall_ms=cpu, cpu_ms=cpu, load_ms=cpu / 10),
            peak_bytes=int(70e6 * (1 + random.normal(0, 0.001))),
            blocks=tuple(timed_block(random, machine, own, 0) for _ in range(BLOCKS)),
        )

    return [(side(10.0), side(10.0 * (1 + slower))) for _ in range(PAIRS)]


def _compared(random: Random, machine: Machine, slower: float) -> Comparison:
    metrics = pair_metrics(_pairs(random, machine, slower), threads=1)
    return Comparison(a="a", b="b", how="interleaved", device="local", kind="measured", metrics=metrics)


@pytest.mark.parametrize("machine", [QUIET, BUSY], ids=["quiet", "busy"])
def test_equals_are_the_same(machine: Machine) -> None:
    random = np.random.default_rng(11)
    verdicts: Counter[tuple[MetricName, Verdict]] = Counter()
    for _ in range(TRIALS):
        verdicts.update((metric.name, metric.verdict) for metric in _compared(random, machine, 0.0).metrics)
    # 5 % are promised; three standard errors of so many trials more are chance
    at_least = 0.95 - 3 * (0.05 * 0.95 / TRIALS) ** 0.5
    assert verdicts["p50", "same"] / TRIALS > at_least, verdicts
    assert verdicts["memory", "same"] / TRIALS > at_least, verdicts


@pytest.mark.parametrize("machine", [QUIET, BUSY], ids=["quiet", "busy"])
@pytest.mark.parametrize(("slower", "expected"), [(0.05, "worse"), (-0.05, "better")])
def test_five_percent_are_found(machine: Machine, slower: float, expected: Verdict) -> None:
    random = np.random.default_rng(12)
    found = Counter(_compared(random, machine, slower).verdict for _ in range(TRIALS))
    assert found[expected] / TRIALS > 0.9, found
