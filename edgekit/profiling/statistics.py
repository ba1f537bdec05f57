"""Percentiles and confidence intervals that hold on a machine with noisy neighbours.

Times of a run are not independent: a neighbour that wakes up slows many in a row. So they are cut into blocks,
and what is uncertain is judged by how much whole blocks differ, never by counting single times. Two artifacts are
compared block by block, taken in turn: what slows one slows the other too, and drops out of the ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
HONEST_P99 = 100
"""Below this many samples a 99th percentile is no more than the largest one."""
_RESAMPLES = 2000
_SEED = 20

Floats = npt.NDArray[np.float64]


def percentile(samples: Sequence[float], share: float) -> float:
    """The ``share``-th percentile (0 to 100), linear between samples; ValueError without samples."""
    if not samples:
        raise ValueError("no samples")
    return float(np.percentile(samples, share))


def median_ci(blocks: Sequence[Sequence[float]], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Confidence interval of the median over all blocks, by resampling whole blocks.

    A single block has nothing to be compared with: its samples count as independent then.
    """
    if len(blocks) == 1:
        blocks = [[sample] for sample in blocks[0]]
    random = np.random.default_rng(_SEED)
    medians = np.array([float(np.median(block)) for block in blocks])
    sizes = np.array([len(block) for block in blocks], np.float64)
    order = np.argsort(medians)
    drawn = random.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=_RESAMPLES)
    weights = np.cumsum(drawn[:, order] * sizes[order], axis=1)
    picked = medians[order][np.argmax(weights >= weights[:, -1:] / 2, axis=1)]
    tail = (1 - confidence) / 2 * 100
    low, high = np.percentile(picked, (tail, 100 - tail))
    return float(low), float(high)


def ratio_ci(
    a: Sequence[float], b: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float, float]:
    """Ratio a/b of times taken in turn (``a[i]`` beside ``b[i]``), with its confidence interval.

    Hodges-Lehmann estimate over the logarithms of the pairs' ratios, interval by Wilcoxon's signed ranks: it asks
    of the noise only that it hits both sides alike, not that it is normal. ValueError on unequal or empty lists.
    """
    if len(a) != len(b) or not a:
        raise ValueError(f"needs as many times of both, and some: {len(a)} and {len(b)}")
    estimate, low, high = signed_rank_ci(np.log(np.divide(a, b)), confidence)
    return math.exp(estimate), math.exp(low), math.exp(high)


def signed_rank_ci(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Centre of symmetric ``values`` with its interval; fewer than 6 values give their whole range."""
    first, second = np.triu_indices(len(values))
    walsh = np.sort((values[first] + values[second]) / 2)
    n = len(values)
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    outside = math.floor(n * (n + 1) / 4 - NormalDist().inv_cdf((1 + confidence) / 2) * spread)
    if n < 6 or outside < 1:
        return float(np.median(walsh)), float(walsh[0]), float(walsh[-1])
    return float(np.median(walsh)), float(walsh[outside - 1]), float(walsh[-outside])


def difference_ci(
    a: Sequence[float], b: Sequence[float], floor: float, confidence: float = CONFIDENCE
) -> tuple[float, float, float]:
    """Ratio b/a of what separate runs measured, with its interval: ``a`` and ``b`` hold a value a process.

    ``floor`` is the standard deviation, relative, between runs at different times that no single run can show.
    """
    log_a, log_b = np.log(a), np.log(b)
    variance = sum(_mean_variance(values, confidence) for values in (log_a, log_b))
    normal = NormalDist().inv_cdf((1 + confidence) / 2)
    half = math.sqrt(variance + 2 * (normal * floor) ** 2)
    centre = float(np.median(log_b) - np.median(log_a))
    return math.exp(centre), math.exp(centre - half), math.exp(centre + half)


def resolvable(low: float, high: float) -> float:
    """The relative change that a comparison with this interval finds four times out of five.

    The power of 80 % takes 0.84 standard deviations more than the 1.96 of the interval's half.
    """
    return math.expm1(math.log(high / low) / 2 * (1.96 + 0.84) / 1.96)


def _mean_variance(values: Floats, confidence: float) -> float:
    """Squared half width of the interval of ``values``' centre; 0 where one value says nothing of spread."""
    if len(values) < 2:
        return 0.0
    quantile = _student(len(values) - 1, confidence)
    return quantile**2 * float(np.var(values, ddof=1)) / len(values)


def _student(freedom: int, confidence: float) -> float:
    """Two-sided quantile of Student's t by its expansion around the normal; within 3 % from 3 degrees on."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** (power + 1) for power, term in enumerate(terms))
