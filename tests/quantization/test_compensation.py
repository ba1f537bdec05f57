"""Rounding with feedback: less error than the nearest integers, none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.compensation import BLOCK, Array, compensate, damped

LIMIT = 127


def problem(groups: int, outputs: int, inputs: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Weights, second moments of correlated inputs, scales."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((groups, outputs, inputs))
    mixed = rng.standard_normal((groups, inputs, inputs)) @ rng.standard_normal((groups, inputs, 4 * inputs))
    curvature = mixed @ mixed.transpose(0, 2, 1) / (4 * inputs)
    return weights, damped(curvature), np.abs(weights).max(axis=2) / LIMIT


def error(weights: Array, integers: Array, scales: Array, curvature: Array) -> float:
    off = weights - integers * scales[:, :, None]
    return float(np.einsum("goi,gij,goj->", off, curvature, off))


@pytest.mark.parametrize(
    ("groups", "outputs", "inputs"), [(1, 8, 27), (16, 1, 9), (2, 5, BLOCK * 2 + 7), (3, 2, 1)]
)
@pytest.mark.parametrize("limit", [127, 64])
def test_less_error_than_the_nearest(groups: int, outputs: int, inputs: int, limit: int) -> None:
    weights, curvature, scales = problem(groups, outputs, inputs)
    scales = scales * LIMIT / limit
    integers = compensate(weights, curvature, scales, limit)
    nearest = np.rint(weights / scales[:, :, None])
    assert np.abs(integers).max() <= limit
    np.testing.assert_array_equal(integers, np.rint(integers))
    ours, theirs = (error(weights, found, scales, curvature) for found in (integers, nearest))
    # one input has nothing that could make up for it; with nine, a quarter of the error is gone and more
    assert ours <= theirs * (0.75 if inputs > 1 else 1.0)


def test_weights_on_the_grid_stay() -> None:
    weights, curvature, scales = problem(2, 6, 40)
    integers = np.rint(weights / scales[:, :, None])
    np.testing.assert_array_equal(
        compensate(integers * scales[:, :, None], curvature, scales, LIMIT), integers
    )


def test_without_correlation_the_nearest_are_best() -> None:
    weights, _, scales = problem(2, 6, 40)
    independent = np.broadcast_to(np.diag(np.linspace(1, 2, 40)), (2, 40, 40))
    found = compensate(weights, independent, scales, LIMIT)
    np.testing.assert_array_equal(found, np.rint(weights / scales[:, :, None]))


def test_the_largest_weight_gets_the_largest_integer() -> None:
    """So the scale that any quantizer takes from the largest weight is ours."""
    weights, curvature, scales = problem(3, 50, 30)
    integers = compensate(weights, curvature, scales, LIMIT)
    largest = np.abs(weights).argmax(axis=2)[:, :, None]
    wanted = np.sign(np.take_along_axis(weights, largest, 2)) * LIMIT
    np.testing.assert_array_equal(np.take_along_axis(integers, largest, 2), wanted)
    written = (integers * scales[:, :, None]).astype(np.float32)
    theirs = np.abs(written).max(axis=2, keepdims=True) / np.float32(LIMIT)
    np.testing.assert_array_equal(np.rint(written / theirs), integers)


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, curvature, scales = problem(1, 4, 50)
    whole = compensate(weights, curvature, scales, LIMIT)
    monkeypatch.setattr("edgekit.quantization.compensation.BLOCK", 8)
    np.testing.assert_array_equal(compensate(weights, curvature, scales, LIMIT), whole)


def test_groups_are_on_their_own() -> None:
    weights, curvature, scales = problem(4, 3, 9)
    together = compensate(weights, curvature, scales, LIMIT)
    for group in range(4):
        part = slice(group, group + 1)
        np.testing.assert_array_equal(
            compensate(weights[part], curvature[part], scales[part], LIMIT), together[part]
        )


def test_inputs_that_were_always_zero_and_weights_that_are() -> None:
    weights, curvature, scales = problem(2, 3, 9)
    curvature[0] = damped(np.zeros((1, 9, 9)))[0]
    weights[1, 2], scales[1, 2] = 0, 1 / LIMIT
    found = compensate(weights, curvature, scales, LIMIT)
    np.testing.assert_array_equal(found[0], np.rint(weights[0] / scales[0][:, None]))
    assert not found[1, 2].any()
