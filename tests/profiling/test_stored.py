"""Two measurements from different times: equals stay equal on a busy machine, five percent are found."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from edgekit.errors import EdgekitError
from edgekit.profiling.comparison import MetricName, Verdict
from edgekit.profiling.record import Measurement
from edgekit.profiling.stored import compare_measurements
from tests.profiling.synthetic import BUSY, QUIET, Machine, measurement

TRIALS = 60


def _verdicts(a: Machine, b: Machine, *, slower: float, seed: int) -> dict[MetricName, Counter[Verdict]]:
    random = np.random.default_rng(seed)
    found: dict[MetricName, Counter[Verdict]] = defaultdict(Counter)
    for _ in range(TRIALS):
        first, second = measurement(random, a), measurement(random, b, ms=10 * (1 + slower))
        for metric in compare_measurements(first, second).metrics:
            assert metric.ci_low <= metric.ratio <= metric.ci_high
            found[metric.name][metric.verdict] += 1
    return found


@pytest.mark.parametrize(
    ("a", "b"), [(QUIET, QUIET), (QUIET, BUSY), (BUSY, BUSY)], ids=["quiet-quiet", "quiet-busy", "busy-busy"]
)
def test_equals_are_the_same(a: Machine, b: Machine) -> None:
    """Although neighbours make the busy one's inferences twice as long by the clock."""
    found = _verdicts(a, b, slower=0.0, seed=1)
    assert set(found) == {"p50", "p90", "p99", "cold_start", "memory"}
    # 5 % are promised; three standard errors of so many trials more are chance
    at_least = 0.95 - 3 * (0.05 * 0.95 / TRIALS) ** 0.5
    assert all(verdicts["same"] / TRIALS > at_least for verdicts in found.values()), found


def test_five_percent_are_found_on_a_quiet_machine() -> None:
    assert _verdicts(QUIET, QUIET, slower=0.05, seed=2)["p50"]["worse"] / TRIALS > 0.95


def test_five_percent_are_found_among_neighbours_more_often_than_not() -> None:
    found = _verdicts(BUSY, BUSY, slower=0.05, seed=3)["p50"]
    assert found["worse"] / TRIALS > 0.5
    assert found["better"] == 0


def test_five_percent_faster_is_better() -> None:
    assert _verdicts(QUIET, QUIET, slower=-0.05, seed=4)["p50"]["better"] / TRIALS > 0.95


def test_an_artifact_that_waits_is_compared_by_the_clock() -> None:
    """Waiting is no processor time, and yet the user waits."""
    random = np.random.default_rng(5)
    first, second = (measurement(random, QUIET, ms=ms) for ms in (10.0, 20.0))
    assert second.latency_ms is not None
    waiting = [
        block.model_copy(update={"waits": block.samples, "cpu_ms": block.cpu_ms / 2, "preemptions": 1})
        for block in second.latency_ms.blocks
    ]
    latency = second.latency_ms.model_copy(
        update={"blocks": tuple(waiting), "raw_cpu_ms": tuple(ms / 2 for ms in second.latency_ms.raw_cpu_ms)}
    )
    comparison = compare_measurements(first, second.model_copy(update={"latency_ms": latency}))
    assert comparison.verdict == "worse"
    assert comparison.metrics[0].basis == "wall time"


def test_neighbours_of_many_threads_widen_the_interval() -> None:
    """Spinning threads make processor time useless: what neighbours can have cost stays unknown, and is said."""
    random = np.random.default_rng(6)
    first, second = measurement(random, QUIET, threads=2), measurement(random, BUSY, threads=2)
    comparison = compare_measurements(first, second)
    metric = comparison.metric("p50")
    assert metric is not None
    assert metric.basis == "wall time"
    assert metric.verdict == "same"
    assert metric.resolvable > 0.3
    assert any("others kept 1.5 cores busy" in note for note in comparison.notes)


def test_another_clock_widens_the_interval() -> None:
    random = np.random.default_rng(7)
    first, second = measurement(random, QUIET), measurement(random, QUIET, ms=11.0)
    assert compare_measurements(first, second).verdict == "worse"
    assert compare_measurements(first, _slower_clock(second, 1.1)).verdict == "same"


def test_says_what_differs() -> None:
    random = np.random.default_rng(8)
    first, second = measurement(random, QUIET), measurement(random, QUIET, threads=2)
    assert "different threads: 1 and 2" in compare_measurements(first, second).notes


def test_refuses_to_compare_a_prediction_with_a_measurement() -> None:
    random = np.random.default_rng(9)
    first = measurement(random, QUIET)
    with pytest.raises(EdgekitError, match=r"net\.edgekit is measured, net\.edgekit is predicted"):
        compare_measurements(first, first.model_copy(update={"kind": "predicted"}))


def test_compares_records_that_have_no_blocks() -> None:
    """Of other tools, or without any latency at all."""
    random = np.random.default_rng(10)
    first = measurement(random, QUIET)
    assert first.latency_ms is not None
    bare = first.latency_ms.model_copy(update={"blocks": (), "raw_cpu_ms": ()})
    comparison = compare_measurements(first, first.model_copy(update={"latency_ms": bare, "starts": ()}))
    assert comparison.verdict == "same"
    names = [
        metric.name
        for metric in compare_measurements(first, first.model_copy(update={"latency_ms": None})).metrics
    ]
    assert names == ["cold_start", "memory"]


def _slower_clock(measured: Measurement, factor: float) -> Measurement:
    assert measured.latency_ms is not None
    blocks = [
        block.model_copy(update={"yardstick_ms": block.yardstick_ms * factor})
        for block in measured.latency_ms.blocks
    ]
    return measured.model_copy(
        update={"latency_ms": measured.latency_ms.model_copy(update={"blocks": tuple(blocks)})}
    )
