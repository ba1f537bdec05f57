"""Intervals hold what they promise: on seeded samples with the noise of real machines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.profiling.statistics import (
    difference_ci,
    median_ci,
    percentile,
    ratio_ci,
    resolvable,
    signed_rank_ci,
)

TRIALS = 400
ERRORS_AT_MOST = 0.05 + 3 * math.sqrt(0.05 * 0.95 / TRIALS)
"""5 % are promised; of so many trials three standard errors more are chance."""


def test_percentiles_are_the_fields_own() -> None:
    samples = [float(value) for value in range(1, 101)]
    assert percentile(samples, 50) == 50.5
    assert percentile(samples, 99) == pytest.approx(99.01)
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def _heavy_tailed(random: np.random.Generator, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return 10 * np.exp(random.standard_t(2, size) * 0.01)


def test_median_interval_covers_the_median_of_drifting_blocks() -> None:
    """Times within a block belong together: an interval that counts them singly misses far too often."""
    random = np.random.default_rng(0)
    missed = missed_by_counting_singly = 0
    trials = 60
    for _ in range(trials):
        levels = np.exp(random.normal(0, 0.03, 40))
        blocks = [list(level * _heavy_tailed(random, 10)) for level in levels]
        low, high = median_ci(blocks)
        missed += not low <= 10 <= high
        low, high = median_ci([[sample] for block in blocks for sample in block])
        missed_by_counting_singly += not low <= 10 <= high
    assert missed / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    assert missed_by_counting_singly / trials > 0.2


def test_median_interval_of_one_block_takes_its_samples_singly() -> None:
    low, high = median_ci([[1.0, 2.0, 3.0, 4.0, 5.0]])
    assert 1.0 <= low < 3.0 < high <= 5.0


@pytest.mark.parametrize("pairs", [6, 8, 24])
def test_pairs_of_equals_differ_seldom(pairs: int) -> None:
    """Neighbours double some times and the machine drifts by a third: it hits both sides."""
    random = np.random.default_rng(pairs)
    wrong = 0
    for _ in range(TRIALS):
        shared = np.exp(np.linspace(0, 0.3, pairs)) * random.choice([1.0, 2.0], pairs)
        a, b = (shared * _heavy_tailed(random, pairs) for _ in range(2))
        _, low, high = ratio_ci(list(a), list(b))
        wrong += not low <= 1 <= high
    assert wrong / TRIALS < ERRORS_AT_MOST


def test_pairs_find_five_percent() -> None:
    """Of noise that has no finite variance."""
    random = np.random.default_rng(1)
    found = 0
    for _ in range(TRIALS):
        shared = random.choice([1.0, 2.0], 8)
        a, b = shared * 1.05 * _heavy_tailed(random, 8), shared * _heavy_tailed(random, 8)
        found += ratio_ci(list(a), list(b))[1] > 1
    assert found / TRIALS > 0.8


def test_ratio_is_of_the_first_to_the_second() -> None:
    ratio, low, high = ratio_ci([2.0] * 8, [1.0] * 8)
    assert (ratio, low, high) == pytest.approx((2.0, 2.0, 2.0))
    with pytest.raises(ValueError, match="as many times of both"):
        ratio_ci([1.0], [1.0, 2.0])


def test_few_values_give_their_whole_range() -> None:
    assert signed_rank_ci(np.array([0.1, 0.2, 0.4])) == pytest.approx((0.2, 0.1, 0.4), abs=0.05)


def test_separate_runs_of_equals_differ_seldom() -> None:
    random = np.random.default_rng(2)
    wrong = 0
    for _ in range(TRIALS):
        a, b = (list(10 * np.exp(random.normal(0, 0.007) + random.normal(0, 0.01, 5))) for _ in range(2))
        _, low, high = difference_ci(a, b, 0.007)
        wrong += not low <= 1 <= high
    assert wrong / TRIALS < ERRORS_AT_MOST


def test_difference_is_of_the_second_to_the_first() -> None:
    ratio, low, high = difference_ci([1.0, 1.0], [2.0, 2.0], 0.01)
    assert ratio == pytest.approx(2.0)
    # only the floor is left: 1.96 standard deviations of both
    assert math.log(high / ratio) == pytest.approx(1.96 * 0.01 * math.sqrt(2), rel=1e-3)
    assert low < ratio < high


def test_resolvable_is_what_is_found_four_times_of_five() -> None:
    """With a standard error of 2 % an effect of 2.8 of them is beyond the interval in 80 % of all cases."""
    random = np.random.default_rng(3)
    effect = resolvable(math.exp(-1.96 * 0.02), math.exp(1.96 * 0.02))
    found = np.mean(random.normal(math.log1p(effect), 0.02, 20_000) - 1.96 * 0.02 > 0)
    assert found == pytest.approx(0.8, abs=0.01)
