"""Ranges against searches without bins."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.histogram import Array, Histogram
from edgekit.quantization.observers import (
    FROM_HISTOGRAM,
    SHRINKS,
    STEPS,
    Extremes,
    Range,
    RangeMethod,
    entropy,
    least_squares,
    percentile,
    symmetric_least_squares,
)

RNG = np.random.default_rng(0)
HEAVY_TAILS = RNG.standard_t(2, 200_000).astype(np.float32)
NORMAL = RNG.standard_normal(100_000).astype(np.float32)
RELU = np.maximum(NORMAL, 0)
RELU6 = np.clip(NORMAL * 4 + 2, 0, 6)
# piled up at the lower end, only some steps from zero: which step zero falls on counts
SWISH = NORMAL * 3 / (1 + np.exp(-NORMAL * 3))
CASES = {
    "heavy tails": HEAVY_TAILS, "normal": NORMAL, "relu": RELU, "relu6": RELU6, "negative": -RELU, "swish": SWISH,
}  # fmt: skip


def seen(values: Array) -> Histogram:
    histogram = Histogram()
    for part in np.array_split(values, 7):
        histogram.update(part)
    return histogram


def squared_error(values: Array, range_: Range) -> float:
    low, high = range_
    scale = (high - low) / STEPS
    zero = np.rint(-low / scale)
    rounded = (np.clip(np.rint(values / scale) + zero, 0, STEPS) - zero) * scale
    return float(np.mean((values.astype(np.float64) - rounded) ** 2))


def divergence(values: Array, range_: Range) -> float:
    """Kullback-Leibler of the rounded from the clipped values other than zero, over 2000 bins, without a correction."""
    low, high = range_
    values = values[values != 0]
    borders = np.linspace(values.min(), values.max(), 2001)
    true = np.histogram(np.clip(values, low, high), borders)[0].astype(float)
    inside = values[(values >= low) & (values <= high)]
    held = np.histogram(inside, borders)[0]
    step = np.rint(
        (np.clip((borders[1:] + borders[:-1]) / 2, low, high) - low) * (STEPS / (high - low))
    ).astype(int)
    totals, shares = np.bincount(step, held), np.bincount(step, true > 0)
    spread = (totals / np.maximum(shares, 1))[step] * (true > 0)
    both = (true > 0) & (spread > 0)
    p, q = true / true.sum(), spread / spread.sum()
    return float(p[both] @ np.log(p[both] / q[both]) + (1 - p[both].sum()) * 10)


@pytest.mark.parametrize("name", CASES)
def test_extremes_are_the_values_own(name: str) -> None:
    values, extremes = CASES[name], Extremes()
    for part in np.array_split(values, 5):
        extremes.update(part)
    assert extremes.range() == (min(0.0, values.min()), max(0.0, values.max()))


@pytest.mark.parametrize("name", CASES)
def test_percentile_leaves_out_as_many_values_as_it_says_to_a_bin(name: str) -> None:
    values, histogram = CASES[name], seen(CASES[name])
    low, high = percentile(histogram, 0.999)
    for end, outside in ((low, values[values < 0] * -1), (high, values[values > 0])):
        limit, allowed = abs(end), values.size * 0.001
        assert np.sum(outside > limit) <= allowed
        if (
            outside.size > allowed and limit < outside.max()
        ):  # a bin further in, and more would be cut than allowed
            assert np.sum(outside >= limit - histogram.width) >= allowed


@pytest.mark.parametrize("name", CASES)
def test_least_squares_is_within_two_percent_of_the_best_pair_of_ends(name: str) -> None:
    values = CASES[name]
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    ours = squared_error(values, least_squares(seen(values)))
    lows = low * SHRINKS[::4] if low else [0.0]
    highs = high * SHRINKS[::4] if high else [0.0]
    # pairs from a coarser grid; ours searches the ends one after the other, on bins
    best = min(squared_error(values, (a, b)) for a in lows for b in highs)
    assert ours <= best * 1.02


def symmetric_error(values: Array, found: tuple[float, float]) -> float:
    """Zero points of zero: int8 where the range has negative values, else uint8."""
    low, high = found
    scale, ends = (max(-low, high) / 127, (-127, 127)) if low < 0 else (high / 255, (0, 255))
    return float(((values - np.clip(np.rint(values / scale), *ends) * scale) ** 2).sum())


@pytest.mark.parametrize("name", CASES)
def test_symmetric_least_squares_is_within_two_percent_of_the_best(name: str) -> None:
    values = CASES[name]
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    peak = max(-low, high)
    tried = [(-peak * part, peak * part) for part in SHRINKS[::4]] if low else []
    tried += [(0.0, high * part) for part in SHRINKS[::4]] if high else []
    best = min(symmetric_error(values, trial) for trial in tried)
    assert symmetric_error(values, symmetric_least_squares(seen(values))) <= best * 1.02


def test_a_swish_that_is_hardly_negative_is_cut_at_zero_and_a_normal_one_is_not() -> None:
    hardly = np.maximum(SWISH, -0.002 * float(SWISH.max()))
    assert symmetric_least_squares(seen(hardly))[0] == 0
    assert symmetric_least_squares(seen(NORMAL))[0] < 0


@pytest.mark.parametrize("name", ["heavy tails", "normal", "relu"])
def test_entropy_is_near_the_least_divergence(name: str) -> None:
    values = CASES[name][::4]
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    ours = divergence(values, entropy(seen(values)))
    best = min(divergence(values, (low * part, high * part)) for part in SHRINKS[::4])
    # other bins, and the correction for scatter that the reference lacks, move the choice a little
    assert ours <= best + 0.02


@pytest.mark.parametrize("method", FROM_HISTOGRAM)
def test_an_outlier_is_cut(method: RangeMethod) -> None:
    values = np.concatenate([NORMAL, [500.0]]).astype(np.float32)
    assert FROM_HISTOGRAM[method](seen(values))[1] < 500


@pytest.mark.parametrize("method", FROM_HISTOGRAM)
def test_values_at_the_very_end_are_no_outliers(method: RangeMethod) -> None:
    """A ReLU6 cuts a fifth of the values to 6: the upper end is at the border of the last bin."""
    assert FROM_HISTOGRAM[method](seen(RELU6)) == (0.0, 6.0)


@pytest.mark.parametrize("method", FROM_HISTOGRAM)
@pytest.mark.parametrize("value", [5.0, -5.0, 0.3, 1e-30])
def test_a_constant_is_its_own_range(method: RangeMethod, value: float) -> None:
    low, high = FROM_HISTOGRAM[method](seen(np.full(1000, value, np.float32)))
    assert (low, high) == pytest.approx((min(0.0, value), max(0.0, value)))


@pytest.mark.parametrize("method", FROM_HISTOGRAM)
def test_zeros_and_nothing(method: RangeMethod) -> None:
    assert FROM_HISTOGRAM[method](seen(np.zeros(100, np.float32))) == (0.0, 0.0)
    assert FROM_HISTOGRAM[method](Histogram()) == (0.0, 0.0)
    assert Extremes().range() == (0.0, 0.0)
