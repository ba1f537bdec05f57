"""Least squares without negative answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_ENOUGH = 1e-10


def least_squares(normal: Array, right: Array) -> Array:
    """The x >= 0 with the least x'Nx / 2 - r'x: Lawson and Hanson's active sets, on scaled normal equations."""
    scale = 1 / np.sqrt(np.diag(normal))
    matrix, vector = normal * scale[:, None] * scale, right * scale
    free, x = np.zeros(len(vector), bool), np.zeros(len(vector))
    for _ in range(3 * len(vector)):
        gain = np.where(free, -1.0, vector - matrix @ x)
        best = int(np.argmax(gain))
        if gain[best] <= _ENOUGH:
            break
        free[best] = True
        x = _descend(matrix, vector, free, x)
    return x * scale


def _descend(matrix: Array, vector: Array, free: NDArray[np.bool_], x: Array) -> Array:
    """Go to the best point of the free variables; who turns negative on the way stays at 0 (``free`` is changed)."""
    while free.any():
        best = np.zeros(len(vector))
        best[free] = np.linalg.solve(matrix[np.ix_(free, free)], vector[free])
        falling = free & (best <= 0)
        if not falling.any():
            return best
        step = float((x[falling] / (x[falling] - best[falling])).min()) if (x[falling] > 0).all() else 0.0
        x = x + step * (best - x)
        free &= x > _ENOUGH
        x = np.where(free, x, 0)
    return x
