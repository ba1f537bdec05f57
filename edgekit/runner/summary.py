"""Percentiles of samples, for the command line on a board."""

from __future__ import annotations

import numpy as np


def summary(samples_ms: list[float]) -> dict[str, float]:
    """p50, p90, p99, mean and the number of samples; needs at least one."""
    p50, p90, p99 = (float(np.percentile(samples_ms, share)) for share in (50, 90, 99))
    return {
        "p50": p50,
        "p90": p90,
        "p99": p99,
        "mean": float(np.mean(samples_ms)),
        "samples": len(samples_ms),
    }
