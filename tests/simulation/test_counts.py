"""Emulated counts: whole, and latencies predicted from them as well as the documentation says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgekit.catalog import load_catalog
from edgekit.simulation.calibrating import interval_factor
from edgekit.simulation.count_fitting import calibrate_counts, cross_validate_counts, fit_counts
from edgekit.simulation.count_points import counted_series
from edgekit.simulation.count_terms import COUNT_NAMES, GUESS_CYCLES, count_terms
from edgekit.simulation.crossing import HeldOut, Point
from edgekit.simulation.emulated_counts import record, recorded
from edgekit.simulation.published import model_terms

CATALOG = load_catalog()
COUNTED = tuple(profile.id for profile in CATALOG.profiles.values() if profile.counted_speeds)


def points_of(board: str, runtime: str, threads: int) -> tuple[tuple[Point, ...], float]:
    """What the profile's constants were fitted to, and the clock."""
    profile = CATALOG.profile(board)
    clock_hz = profile.cpu.clusters[0].clock_hz
    assert clock_hz is not None
    (found,) = (
        points
        for (floats, *_), points in counted_series(profile).items()
        if (floats.runtime, floats.threads) == (runtime, threads)
    )
    return found, clock_hz


def per_mac(points: Sequence[Point], unseen: Point) -> float:
    """Error of the median time per MAC of all other families, in the point's own precision."""
    integer = unseen.model.endswith("_int8")
    known = [
        item for item in points if item.family != unseen.family and item.model.endswith("_int8") == integer
    ]
    pace = np.median([item.latency_ms / macs(item) for item in known])
    return float(abs(pace * macs(unseen) / unseen.latency_ms - 1))


def macs(point: Point) -> float:
    return float(model_terms()[point.model][:8].sum())


def coverage(held_out: Sequence[HeldOut]) -> float:
    """Share of measurements inside intervals that were made without their family."""
    inside = []
    for entry in held_out:
        others = [item for item in held_out if item.point.family != entry.point.family]
        inside.append(abs(entry.log_ratio) <= np.log(interval_factor(others, others)))
    return float(np.mean(inside))


@pytest.mark.parametrize(
    ("board", "threads", "median", "p90"),
    [
        ("raspberry-pi-4", 1, 0.06, 0.18),
        ("rk3399", 1, 0.06, 0.18),
        ("raspberry-pi-5", 1, 0.06, 0.18),
        ("raspberry-pi-3", 1, 0.09, 0.18),
        ("raspberry-pi-zero-2-w", 1, 0.09, 0.30),
    ],
)
def test_errors_for_unseen_families(board: str, threads: int, median: float, p90: float) -> None:
    points, clock_hz = points_of(board, "ncnn", threads)
    held_out = cross_validate_counts(points, clock_hz)
    assert len(held_out) == len(points)
    errors = [entry.error for entry in held_out]
    assert np.median(errors) <= median
    assert np.quantile(errors, 0.9) <= p90
    plain = [per_mac(points, point) for point in points]
    assert np.median(errors) * 2 <= np.median(plain), "twice as good as a constant per MAC"
    assert coverage(held_out) >= 0.8


def test_every_count_is_whole() -> None:
    for item in recorded():
        assert item.model in model_terms()
        assert sum(item.by_class.values()) > 1e6
        misses = [item.cache_misses[level] for level in sorted(item.cache_misses)]
        assert len(misses) == len(item.cache_bytes)
        assert misses == sorted(misses, reverse=True), "what one cache has, the next is not asked for"


@pytest.mark.parametrize("board", COUNTED)
def test_a_profile_says_what_counts_and_measurements_say(board: str) -> None:
    """Constants and errors in the file are those that a fit makes today."""
    profile = CATALOG.profile(board)
    fitted = counted_series(profile)
    assert [(speed.runtime, speed.version, speed.threads or 0) for speed in profile.counted_speeds] == [
        (floats.runtime, floats.version, floats.threads) for floats, *_ in fitted
    ]
    clock_hz = profile.cpu.clusters[0].clock_hz
    assert clock_hz is not None
    for speed, points in zip(profile.counted_speeds, fitted.values(), strict=True):
        found = calibrate_counts(points, clock_hz)
        assert speed.constants_ps == pytest.approx(dict(found.constants_ps), rel=1e-3)
        assert speed.error_pct.median == pytest.approx(found.median_pct, abs=0.1)
        assert speed.interval_factor == pytest.approx(found.interval_factor, rel=1e-3)
        assert speed.constants_ps.keys() <= set(COUNT_NAMES)


def test_constants_that_made_the_latencies_are_found() -> None:
    """With amounts that tell the terms apart, what comes out is what was put in."""
    random = np.random.default_rng(3)
    true_ms = GUESS_CYCLES / 1e9 * 1e3 * random.uniform(0.5, 2, len(GUESS_CYCLES))
    terms = random.uniform(1e6, 1e8, (60, len(GUESS_CYCLES))) / GUESS_CYCLES
    points = [Point(f"m{index}", f"m{index}", float(row @ true_ms), row) for index, row in enumerate(terms)]
    # held to guesses that are up to half as large
    assert fit_counts(points, 1e9) == pytest.approx(true_ms, rel=0.02)


def test_terms_are_sums_of_the_classes() -> None:
    item = recorded()[0]
    terms = dict(zip(COUNT_NAMES, count_terms(item.by_class, item.cache_misses).tolist(), strict=True))
    instructions = sum(terms[name] for name in COUNT_NAMES if not name.endswith("_misses"))
    assert instructions == sum(item.by_class.values())
    assert terms["last_misses"] == item.cache_misses[max(item.cache_misses)]


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    record(recorded()[:3], path)
    assert recorded(path) == recorded()[:3]
