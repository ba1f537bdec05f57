"""Counts over widening bins: the same whatever the order, and none lost."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.histogram import BINS, Array, Histogram, NotFiniteError


def counted(*parts: Array) -> Histogram:
    seen = Histogram()
    for part in parts:
        seen.update(np.asarray(part, np.float32))
    return seen


def parts() -> list[Array]:
    """Batches whose span grows and shrinks, zeros alone among them."""
    rng = np.random.default_rng(0)
    scales = [1e-3, 0.0, 4.0, -60.0, 0.5, 1e-6]
    return [(rng.standard_normal(1000) * scale).astype(np.float32) for scale in scales]


def assert_same(found: Histogram, wanted: Histogram) -> None:
    assert (found.width, found.first, found.low, found.high) == (
        wanted.width,
        wanted.first,
        wanted.low,
        wanted.high,
    )
    np.testing.assert_array_equal(found.counts, wanted.counts)


def test_the_order_of_the_values_does_not_matter() -> None:
    forward, backward, at_once = counted(*parts()), counted(*parts()[::-1]), counted(np.concatenate(parts()))
    for other in (backward, at_once):
        assert_same(other, forward)


def test_the_counts_are_numpy_s() -> None:
    seen, values = counted(*parts()), np.concatenate(parts()).astype(np.float64)
    borders = (seen.first + np.arange(BINS + 1)) * seen.width
    expected, _ = np.histogram(values, borders)
    np.testing.assert_array_equal(seen.counts, expected)
    np.testing.assert_array_equal(seen.centers, (borders[1:] + borders[:-1]) / 2)


def test_widening_keeps_every_count() -> None:
    seen, total = Histogram(), 0
    for power in range(-40, 40, 3):
        values = np.array([0.0, 1.0, -0.3], np.float32) * np.float32(2.0**power)
        seen.update(values)
        total += values.size
        assert seen.counts.sum() == total
    assert seen.counts.size == BINS


def test_at_least_half_of_the_bins_are_used() -> None:
    for high in (1.0, 1.001, 1.999, 6.0):
        seen = counted(np.linspace(0, high, 10_000))
        used = np.flatnonzero(seen.counts)
        assert used[-1] - used[0] >= BINS / 2 - 1


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0, 1e-37, 1e-45, 3e38])
def test_one_value_alone(value: float) -> None:
    seen = counted(np.full(7, value))
    assert seen.counts.sum() == 7
    assert (seen.low, seen.high) == (min(0.0, np.float32(value)), max(0.0, np.float32(value)))
    (place,) = np.flatnonzero(seen.counts)
    assert seen.first * seen.width + place * seen.width <= np.float32(value)


def test_zeros_before_anything_else_stay_at_zero() -> None:
    seen = counted(np.zeros(3), np.array([-2.0, 2.0]))
    assert seen.counts[-seen.first] == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(NotFiniteError):
        counted(np.array([1.0, bad, -1.0]))


def test_no_values() -> None:
    assert counted(np.zeros(0)).counts.sum() == 0
