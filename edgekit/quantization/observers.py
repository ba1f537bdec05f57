"""Ranges of activations, from what was observed batch by batch: the extremes, or a histogram of some values.

All memory is constant. A range always holds zero, which padding and ReLU must be able to say exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.quantization.histogram import BINS, Array, Floats, Histogram, extremes

RangeMethod = Literal["minmax", "percentile", "mse", "entropy"]
Range = tuple[float, float]
"""Smallest and largest value that the 256 steps reach; ``low <= 0 <= high``."""

STEPS = 255
SYMMETRIC_STEPS = 127
"""To either side of zero."""
PERCENTILE = 0.9999
"""Of the sampled values at either end that stay inside. With fewer, EfficientNet-Lite0's rare high peaks are cut."""
SHRINKS = np.linspace(0.2, 1.0, 81)
"""Parts of the seen range that ``mse`` and ``entropy`` choose from: of every eighth the best first, then of those around."""
_EVERY = 8
_COARSE = SHRINKS[::_EVERY]
_BETWEEN = np.arange(0.5, STEPS) / STEPS
"""Where in a range values go from one step to the next."""


@dataclass(slots=True)
class Extremes:
    """Observes the smallest and the largest value."""

    low: float = 0.0
    high: float = 0.0

    def update(self, values: Array) -> None:
        """Take in values; NotFiniteError where one is infinite or not a number."""
        low, high = extremes(values)
        self.low, self.high = min(self.low, low), max(self.high, high)

    def range(self) -> Range:
        """``minmax``: nothing is cut, and one outlier makes all steps coarse."""
        return self.low, self.high


def percentile(seen: Histogram, share: float = PERCENTILE) -> Range:
    """All but the ``1 - share`` outermost values at each end."""
    if not seen.width:
        return 0.0, 0.0
    below = np.cumsum(seen.counts) / seen.counts.sum()
    # the outer border of the bin in which the share is reached
    low = (seen.first + int(np.searchsorted(below, 1 - share, "right"))) * seen.width
    high = (seen.first + int(np.searchsorted(below, share, "left")) + 1) * seen.width
    return max(seen.low, min(low, 0.0)), min(seen.high, max(high, 0.0))


def least_squares(seen: Histogram) -> Range:
    """The range with the smallest squared rounding and clipping error."""
    return _best_range(seen, _SquaredError)


def symmetric_least_squares(seen: Histogram) -> Range:
    """The same for zero points of zero: int8 as far to either side, or uint8 that cuts all negative values.

    A swish is hardly below zero: cutting it there loses less than half of the steps would.
    """
    if seen.low == 0:
        return least_squares(seen)
    cost, peak = _SquaredError(seen), max(-seen.low, seen.high)

    def signed(parts: Floats) -> Floats:
        return cost.at(peak * parts / SYMMETRIC_STEPS, -SYMMETRIC_STEPS, 2 * SYMMETRIC_STEPS)

    def unsigned(parts: Floats) -> Floats:
        return cost.at(seen.high * parts / STEPS, 0, STEPS)

    either = _best_part(signed)
    if seen.high > 0:
        above = _best_part(unsigned)
        if unsigned(np.array([above])) < signed(np.array([either])):
            return 0.0, seen.high * above
    return -peak * either, peak * either


def entropy(seen: Histogram) -> Range:
    """The range after which the distribution of the rounded values is nearest to the true one (Kullback-Leibler).

    Migacz, "8-bit Inference with TensorRT", GTC 2017, for both ends of the range.
    """
    return _best_range(seen, _Divergence)


FROM_HISTOGRAM: Mapping[RangeMethod, Callable[[Histogram], Range]] = {
    "percentile": percentile,
    "mse": least_squares,
    "entropy": entropy,
}
"""``minmax`` comes from :class:`Extremes`."""
FROM_HISTOGRAM_SYMMETRIC = {**FROM_HISTOGRAM, "mse": symmetric_least_squares}
"""For zero points of zero. The others' ranges are widened to be as far to either side."""


def _best_range(seen: Histogram, cost_of: Callable[[Histogram], Callable[[Floats, Floats], Floats]]) -> Range:
    """Try smaller ranges: both ends by the same factor first, then each end alone."""
    if not seen.width:
        return 0.0, 0.0
    cost = cost_of(seen)
    both = _best_part(lambda parts: cost(seen.low * parts, seen.high * parts))
    low, high = seen.low * both, seen.high * both
    if seen.low < 0 < seen.high:
        low = seen.low * _best_part(lambda parts: cost(seen.low * parts, np.full(parts.size, high)))
        high = seen.high * _best_part(lambda parts: cost(np.full(parts.size, low), seen.high * parts))
    return low, high


def _best_part(cost: Callable[[Floats], Floats]) -> float:
    near = _around(float(_COARSE[np.argmin(cost(_COARSE))]))
    return float(near[np.argmin(cost(near))])


def _around(part: float) -> Floats:
    """The parts between the neighbours of ``part`` among the coarse ones."""
    place = int(np.argmin(np.abs(SHRINKS - part)))
    return SHRINKS[max(0, place - _EVERY + 1) : place + _EVERY]


def _without_zeros(seen: Histogram) -> Floats:
    """The counts but for the bin of zero: a range always says zero exactly, and a ReLU puts half of all values there."""
    counts = seen.counts.copy()
    counts[-seen.first] = 0
    return counts


def _sums(rows: Floats) -> Floats:
    """Of each row the sums of what comes before each place, and of all at the end."""
    sums = np.zeros((len(rows), rows.shape[1] + 1))  # np.pad takes longer than all the rest
    np.cumsum(rows, axis=-1, out=sums[:, 1:])
    return sums


class _SquaredError:
    """Sum of the squared errors over the bins, each as if all its values lay in its middle.

    Not step**2 / 12 for what lies inside: of a swish 12 % go to the lowest step, and where that lies decides on their error.
    A step's error follows from the sums of its bins' counts, values and squares, so that a range costs its steps, not bins.
    """

    def __init__(self, seen: Histogram) -> None:
        self._first, self._width = seen.first, seen.width
        counts, values = seen.counts, seen.centers
        self._sums = _sums(np.stack([counts, counts * values]))
        self._squares = float(counts @ np.square(values))

    def __call__(self, lows: Floats, highs: Floats) -> Floats:
        """One for each pair of ends."""
        scales = (highs - lows) / STEPS
        return self.at(scales, -np.rint(-lows / scales)[:, None], STEPS)

    def at(self, scales: Floats, first: Floats | int, steps: int) -> Floats:
        """One for each scale with ``steps`` integers from ``first`` on, of all scales or a row for each, and one more."""
        scales = scales[:, None]
        integers = first + np.arange(steps + 1)
        places = np.empty((len(scales), steps + 2), np.int64)
        places[:, 0], places[:, -1] = 0, BINS
        borders = (integers[..., :-1] + 0.5) * (scales / self._width) - (self._first + 0.5)
        places[:, 1:-1] = np.ceil(borders).clip(0, BINS)
        sums = self._sums.take(places, axis=1)
        counts, values = sums[..., 1:] - sums[..., :-1]
        said = integers * scales
        return np.asarray(self._squares + np.einsum("ij,ij->i", said, said * counts - 2 * values))


class _Divergence:
    """Kullback-Leibler divergence of the rounded values from the clipped ones, over the bins.

    A step holds neighbouring bins and spreads its count evenly over those that hold any, so that sums over the bins
    before its borders say all of it.
    """

    def __init__(self, seen: Histogram) -> None:
        self._first, self._width = seen.first, seen.width
        self._counts = _without_zeros(seen)
        self._logs = _times_log(self._counts)
        self._total = self._counts.sum()
        self._sums = _sums(np.stack([self._counts, self._counts > 0, self._logs]))

    def __call__(self, lows: Floats, highs: Floats) -> Floats:
        """One for each pair of ends."""
        lows, highs = (ends / self._width - self._first for ends in (lows, highs))
        # whole bins: values pile up at the very ends, where a ReLU6 cuts, and so at the border of the last one
        ends = np.minimum(np.maximum(np.stack([lows, highs], axis=1).astype(np.int64), 0), BINS - 1)
        places = np.empty((len(lows), STEPS + 2), np.int64)
        places[:, :: STEPS + 1] = np.add(ends, (0, 1))
        borders = np.rint(lows[:, None] + (highs - lows)[:, None] * _BETWEEN)
        places[:, 1:-1] = np.minimum(np.maximum(borders, places[:, :1]), places[:, -1:])
        sums = self._sums.take(places, axis=1)
        held, filled, logs = sums[..., 1:] - sums[..., :-1]
        # what is cut off goes to the outermost steps
        tails = sums[0, :, :: STEPS + 1].copy()
        tails[:, 1] = self._total - tails[:, 1]
        counts = self._counts[ends]
        true = held.copy()
        true[:, ::STEPS] += tails
        filled[:, ::STEPS] += (counts == 0) & (tails > 0)
        logs[:, ::STEPS] += _times_log(counts + tails) - self._logs[ends]
        said = held > 0
        inside = held.sum(axis=1)
        # what the rounded distribution cannot say at all counts as certain surprise
        missed = (tails * ~said[:, ::STEPS]).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.log(held / (filled * inside[:, None]))
            surprise = np.where(said, logs - true * (np.log(self._total) + spread), 0.0).sum(axis=1)
            # counts scatter within a step although the values do not; so much of it is expected (Miller & Madow, 1955)
            scatter = (filled - (filled > 0)).sum(axis=1) / (2 * inside)
            found = (surprise + missed * 10) / self._total - scatter
        return np.where(inside > 0, found, np.inf)


def _times_log(counts: Floats) -> Floats:
    return np.asarray(counts * np.log(np.maximum(counts, 1)))
