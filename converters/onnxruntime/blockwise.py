"""Weights on a block-wise integer grid: the grid, nearest rounding, and rounding with error compensation (GPTQ).

A matrix is K × N, inputs × outputs, as in ``x @ w``. Each output's inputs are cut into blocks of ``block`` that share a
scale and a zero point: ``w = (integer - zero) * scale``. numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

SHRINKS = np.linspace(1.0, 0.7, 13)
"""Shares of a block's range that are tried: to clip one outlier can cost less than coarser steps for all others."""
DAMPING = 0.01
"""Share of the mean curvature added to every input: GPTQ's own default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Which integers there are and how many weights share a scale."""

    bits: int
    block: int
    symmetric: bool

    @property
    def top(self) -> int:
        return int(2**self.bits - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """A quantized matrix. ``integers`` [K, N]; ``scales`` and ``zeros`` [blocks of K, N]."""

    grid: Grid
    integers: Array
    scales: Array
    zeros: Array

    def floats(self) -> Array:
        """The matrix that these integers stand for."""
        rows = np.arange(len(self.integers)) // self.grid.block
        steps = self.integers.astype(np.float32) - self.zeros[rows].astype(np.float32)
        return np.asarray(steps * self.scales[rows])


def nearest(weight: Array, grid: Grid) -> Blocks:
    """Round each weight to its nearest step (RTN); scales with the least squared error."""
    scales, zeros = _all_scales(weight, np.ones(len(weight)), grid)
    rows = np.arange(len(weight)) // grid.block
    integers = _integers(weight, scales[rows], zeros[rows], grid)
    return Blocks(grid=grid, integers=integers, scales=scales, zeros=zeros)


def compensated(weight: Array, second_moments: Array, grid: Grid) -> Blocks:
    """Round input by input, each error made up for by the inputs still to come (GPTQ, arXiv:2210.17323).

    ``second_moments`` [K, K]: sum of ``outer(x, x)`` over the inputs that the product sees. The inputs with the
    largest moments go first, while all others can still make up for them; blocks keep their places.
    """
    moments = np.array(second_moments, np.float64)
    silent = np.diag(moments) == 0
    moments[silent, silent] = 1.0
    left = np.array(weight, np.float64)
    left[silent] = 0.0  # nothing ever comes in there
    moments[np.diag_indices_from(moments)] += DAMPING * np.mean(np.diag(moments))
    scales, zeros = _all_scales(left, np.diag(moments), grid)
    order = np.argsort(-np.diag(moments), kind="stable")
    factor = _inverse_factor(moments[np.ix_(order, order)])
    integers = np.empty(weight.shape, np.uint8)
    left = left[order]
    for start in range(0, len(left), _CHUNK):
        stop = min(start + _CHUNK, len(left))
        errors = np.empty((stop - start, left.shape[1]))
        for row in range(start, stop):
            place = order[row]
            scale, zero = scales[place // grid.block], zeros[place // grid.block]
            integers[place] = _integers(left[row], scale, zero, grid)
            found = (integers[place].astype(np.float64) - zero) * scale
            errors[row - start] = (left[row] - found) / factor[row, row]
            left[row:stop] -= np.outer(factor[row, row:stop], errors[row - start])
        left[stop:] -= factor[start:stop, stop:].T @ errors
    return Blocks(grid=grid, integers=integers, scales=scales, zeros=zeros)


_CHUNK = 128
"""Inputs whose errors are handed on to the later ones in one product."""


def _inverse_factor(moments: Array) -> Array:
    """The upper Cholesky factor of the inverse."""
    inverse = np.linalg.inv(moments)
    return np.asarray(np.linalg.cholesky((inverse + inverse.T) / 2).T)


def _all_scales(weight: Array, importance: Array, grid: Grid) -> tuple[Array, Array]:
    found = [_scales(rows, share, grid) for rows, share in _cut(weight, importance, grid.block)]
    scales, zeros = (np.stack(part) for part in zip(*found, strict=True))
    return scales, zeros


def _cut(weight: Array, importance: Array, block: int) -> Iterator[tuple[Array, Array]]:
    for start in range(0, len(weight), block):
        yield weight[start : start + block], importance[start : start + block, None]


def _scales(rows: Array, importance: Array, grid: Grid) -> tuple[Array, Array]:
    """Scale and zero point of one block for each output: of the shares tried, that with the least weighted error."""
    best = np.full(rows.shape[1], np.inf)
    scales, zeros = np.zeros(rows.shape[1], np.float32), np.zeros(rows.shape[1], np.uint8)
    # with 256 steps no outlier is worth clipping
    for shrink in SHRINKS if grid.bits < 8 else (1.0,):
        scale, zero = _fitted(rows, float(shrink), grid)
        found = (_integers(rows, scale, zero, grid).astype(np.float64) - zero) * scale
        error = np.sum(importance * (found - rows) ** 2, axis=0)
        better = error < best
        best, scales, zeros = (
            np.where(better, error, best),
            np.where(better, scale, scales),
            np.where(better, zero, zeros),
        )
    return scales, zeros


def _fitted(rows: Array, shrink: float, grid: Grid) -> tuple[Array, Array]:
    low, high = np.minimum(rows.min(axis=0), 0) * shrink, np.maximum(rows.max(axis=0), 0) * shrink
    middle = (grid.top + 1) // 2
    if grid.symmetric:
        # the larger side gets the integer that the other side lacks
        scale = np.where(-low >= high, low, high) / -middle
        zero = np.full(len(scale), middle)
    else:
        scale = (high - low) / grid.top
        with np.errstate(divide="ignore", invalid="ignore"):
            zero = np.where(scale == 0, middle, np.rint(-low / scale))
    scale = np.where(scale == 0, 1.0, scale).astype(np.float32)
    return scale, np.clip(np.nan_to_num(zero), 0, grid.top).astype(np.uint8)


def _integers(weight: Array, scales: Array, zeros: Array, grid: Grid) -> Array:
    return np.asarray(np.clip(np.rint(weight / scales) + zeros, 0, grid.top).astype(np.uint8))
