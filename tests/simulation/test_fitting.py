"""Constants: never negative, found again where the data say them, the population's where they do not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from edgekit.simulation.fitting import Points, fit_constants, fit_population
from edgekit.simulation.published import model_work
from edgekit.simulation.solve import least_squares
from edgekit.simulation.terms import GUESS, IN_GROUP, NAMES


def test_the_best_of_all_active_sets() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        rows, right = rng.standard_normal((9, 5)), rng.standard_normal(9)
        found = least_squares(rows.T @ rows, rows.T @ right)
        assert (found >= 0).all()
        best = min(
            _residual(rows, right, chosen) for size in range(6) for chosen in combinations(range(5), size)
        )
        assert np.sum((rows @ found - right) ** 2) == pytest.approx(best)


def _residual(rows: np.ndarray, right: np.ndarray, chosen: tuple[int, ...]) -> float:
    """Least squares over ``chosen`` alone; infinite where one of them is negative."""
    if not chosen:
        return float(np.sum(right**2))
    part = rows[:, list(chosen)]
    answer = np.linalg.lstsq(part, right)[0]
    return float(np.sum((part @ answer - right) ** 2)) if (answer >= 0).all() else np.inf


def device(speeds: tuple[float, float, float], noise: float = 0.0) -> Points:
    """Every measured model on a device whose terms compare as guessed."""
    terms = np.array([work.usual for work in model_work().values()])
    exact = terms @ (GUESS * (IN_GROUP @ np.array(speeds)))
    return Points(terms, exact * np.exp(np.random.default_rng(1).normal(0, noise, len(exact))))


def test_a_device_is_found_from_five_models() -> None:
    population = fit_population([device((1e-7, 3e-7, 1e-7)), device((2e-7, 1e-7, 4e-7))])
    whole = device((4e-8, 8e-8, 2e-8))
    few = Points(whole.terms[::14][:5], whole.latency_ms[::14][:5])
    predicted = whole.terms @ fit_constants(few, population)
    # what is left is the pull between the three speeds, which differ here by more than the two devices'
    assert np.median(np.abs(predicted / whole.latency_ms - 1)) < 0.05


def test_what_no_model_has_takes_the_populations_proportion() -> None:
    """A device measured with MobileNets alone gets a time for 3 x 3 convolutions."""
    points = device((1e-7, 1e-7, 1e-7))
    column = NAMES.index("conv_3x3")
    without = points.terms[:, column] == 0
    population = fit_population([device((2e-7, 2e-7, 2e-7)), device((5e-8, 5e-8, 5e-8))])
    constants = fit_constants(Points(points.terms[without], points.latency_ms[without]), population)
    assert constants[column] == pytest.approx(GUESS[column] * 1e-7, rel=0.2)


def test_no_constant_is_negative() -> None:
    points = device((1e-7, 1e-7, 1e-7), noise=0.5)
    constants = fit_constants(points, fit_population([points]))
    assert np.isfinite(constants).all()
    assert (constants > 0).all()


def test_a_measurement_that_went_wrong_weighs_little() -> None:
    """One model in twenty at ten times its latency: the others are predicted as before."""
    points = device((1e-7, 3e-7, 1e-7), noise=0.02)
    population = fit_population([device((2e-7, 2e-7, 2e-7)), device((5e-8, 1e-7, 5e-8))])
    chosen = np.arange(0, len(points.latency_ms), 4)
    spoilt = points.latency_ms.copy()
    spoilt[chosen[3]] *= 10
    before, after = (
        points.terms @ fit_constants(Points(points.terms[chosen], latency_ms[chosen]), population)
        for latency_ms in (points.latency_ms, spoilt)
    )
    assert np.median(np.abs(after / before - 1)) < 0.05
