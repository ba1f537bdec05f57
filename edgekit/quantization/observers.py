"""Ranges of activations, from what was observed batch by batch: the extremes, or a histogram of some values.

All memory is constant. A range always holds zero, which padding and ReLU must be able to say exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.quantization.histogram import BINS, Array, Floats, Histogram

RangeMethod = Literal["minmax", "percentile", "mse", "entropy"]
Range = tuple[float, float]
"""Smallest and largest value that the 256 steps reach; ``low <= 0 <= high``."""

STEPS = 255
PERCENTILE = 0.9999
"""Of the sampled values at either end that stay inside. With fewer, EfficientNet-Lite0's rare high peaks are cut."""
SHRINKS = np.linspace(0.2, 1.0, 81)
"""Parts of the seen range that ``mse`` and ``entropy`` try."""


@dataclass(slots=True)
class Extremes:
    """Observes the smallest and the largest value."""

    low: float = 0.0
    high: float = 0.0

    def update(self, values: Array) -> None:
        """Take in values of one sample."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

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
    """The range with the smallest mean squared rounding and clipping error."""
    return _best_range(seen, _squared_error)


def entropy(seen: Histogram) -> Range:
    """The range after which the distribution of the rounded values is nearest to the true one (Kullback-Leibler).

    Migacz, "8-bit Inference with TensorRT", GTC 2017, for both ends of the range.
    """
    return _best_range(seen, _divergence)


FROM_HISTOGRAM: Mapping[RangeMethod, Callable[[Histogram], Range]] = {
    "percentile": percentile,
    "mse": least_squares,
    "entropy": entropy,
}
"""``minmax`` comes from :class:`Extremes`."""


def _best_range(seen: Histogram, cost: Callable[[Histogram, float, float], float]) -> Range:
    """Try smaller ranges: both ends by the same factor first, then each end alone."""
    if not seen.width:
        return 0.0, 0.0
    both = min(SHRINKS, key=lambda part: cost(seen, seen.low * part, seen.high * part))
    low, high = seen.low * both, seen.high * both
    if seen.low < 0 < seen.high:
        low = min(seen.low * SHRINKS, key=lambda end: cost(seen, end, high))
        high = min(seen.high * SHRINKS, key=lambda end: cost(seen, low, end))
    return float(low), float(high)


def _rounded(values: Floats, low: float, high: float) -> Floats:
    scale = (high - low) / STEPS
    zero = np.rint(-low / scale)
    return np.asarray((np.clip(np.rint(values / scale) + zero, 0, STEPS) - zero) * scale)


def _squared_error(seen: Histogram, low: float, high: float) -> float:
    held = seen.counts > 0
    values = seen.centers[held]
    return float(seen.counts[held] @ (values - _rounded(values, low, high)) ** 2)


def _divergence(seen: Histogram, low: float, high: float) -> float:
    """Kullback-Leibler divergence of the rounded values from the clipped ones, over the bins.

    But for the bin of zero: a range always says zero exactly, and a ReLU puts half of all values there.
    """
    counts = seen.counts.copy()
    counts[-seen.first] = 0
    # whole bins: values pile up at the very ends, where a ReLU6 cuts, and so at the border of the last one
    borders = (seen.first + np.arange(BINS + 1)) * seen.width
    inside = (borders[1:] > low) & (borders[:-1] <= high)
    held = counts * inside
    if not held.any():
        return float("inf")
    true = held.copy()
    places = np.flatnonzero(inside)
    true[places[0]] += counts[: places[0]].sum()
    true[places[-1]] += counts[places[-1] + 1 :].sum()
    # a step's count is spread evenly over those of its bins that hold any
    step = np.rint((seen.centers[places].clip(low, high) - low) * (STEPS / (high - low))).astype(np.int64)
    filled = true[places] > 0
    totals = np.bincount(step, held[places], STEPS + 1)
    shares = np.bincount(step, filled, STEPS + 1)
    spread = np.divide(totals, shares, out=np.zeros(STEPS + 1), where=shares > 0)[step] * filled
    both = (true[places] > 0) & (spread > 0)
    p, q = true[places][both] / true.sum(), spread[both] / spread.sum()
    # what the rounded distribution cannot say at all counts as certain surprise
    missed = 1 - p.sum()
    # counts scatter within a step although the values do not; so much of it is expected (Miller & Madow, 1955)
    scatter = (np.count_nonzero(filled) - np.count_nonzero(shares)) / (2 * held.sum())
    return float(p @ np.log(p / q) + missed * 10 - scatter)
