"""Counts of values over bins that widen as larger values come: constant memory, whatever the number of values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = np.ndarray[Any, Any]
Floats = npt.NDArray[np.float64]

BINS = 4096
LEAST = float(np.finfo(np.float32).smallest_subnormal)
"""The narrowest bin: values are divided by its width."""


class NotFiniteError(ValueError):
    """A value is infinite or not a number."""


def extremes(values: Array) -> tuple[float, float]:
    """The smallest and the largest of ``values``; NotFiniteError where one is infinite or not a number."""
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise NotFiniteError
    return low, high


@dataclass(slots=True)
class Histogram:
    """Bins of one width, a power of two, with borders at its multiples.

    So two neighbours merge into one wider bin without splitting a count, and the same values in another order give
    the same counts.
    """

    width: float = 0.0
    """0 until a value other than zero was seen."""
    first: int = 0
    """The first bin reaches from ``first * width`` to ``(first + 1) * width``."""
    counts: Floats = field(default_factory=lambda: np.zeros(BINS))
    low: float = 0.0
    """Smallest value seen, 0 at most: a quantized tensor must be able to say zero."""
    high: float = 0.0

    def update(self, values: Array) -> None:
        """Count ``values``, float32 of any shape; NotFiniteError where one is infinite or not a number."""
        if not values.size:
            return
        low, high = extremes(values)
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._reach()
        if self.width == 0.0:
            self.counts[0] += values.size  # zeros, until now; the first bin begins at zero
            return
        places = values.reshape(-1) / np.float32(self.width)
        places = np.floor(places, out=places).astype(np.int32)
        if self.first:
            places -= self.first
        self.counts += np.bincount(places, minlength=BINS)

    @property
    def centers(self) -> Floats:
        """The middle of each bin."""
        return np.asarray((self.first + np.arange(BINS) + 0.5) * self.width)

    def _reach(self) -> None:
        """Let the bins reach from ``low`` to ``high``."""
        if self.width == 0.0:
            span = max(self.high, -self.low)
            # a power of two that is too narrow for the span, but not by much
            self.width = max(2.0 ** (math.frexp(span)[1] - BINS.bit_length()), LEAST) if span else 0.0
            if self.width == 0.0:
                return
        while math.floor(self.high / self.width) - math.floor(self.low / self.width) >= BINS:
            self._double()
        first = math.floor(self.low / self.width)
        if first != self.first:
            # what leaves at the upper end is empty: both ends fit
            self.counts = np.roll(self.counts, self.first - first)
            self.first = first

    def _double(self) -> None:
        """Merge each bin of an even number with the next one."""
        places = (self.first + np.arange(BINS)) // 2
        self.first //= 2
        merged = np.bincount(places - self.first, weights=self.counts, minlength=BINS)
        self.counts = np.asarray(merged, np.float64)
        self.width *= 2
