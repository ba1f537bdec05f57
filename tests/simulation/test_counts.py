"""Emulated counts: whole, and latencies predicted from them as well as the documentation says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgekit.catalog import load_catalog
from edgekit.simulation.calibrating import interval_factor
from edgekit.simulation.count_fitting import calibrate_counts, cross_validate_counts, fit_counts
from edgekit.simulation.count_points import counted_series
from edgekit.simulation.count_predict import predict_counts
from edgekit.simulation.count_terms import COUNT_NAMES, GUESS_CYCLES, count_terms
from edgekit.simulation.crossing import HeldOut, Point
from edgekit.simulation.emulated_counts import record, recorded
from edgekit.simulation.published import model_work

CATALOG = load_catalog()
COUNTED = tuple(profile.id for profile in CATALOG.profiles.values() if profile.counted_speeds)


def points_of(board: str, threads: int) -> tuple[tuple[Point, ...], float]:
    """What the profile's constants were fitted to, and the clock."""
    profile = CATALOG.profile(board)
    clock_hz = profile.cpu.clusters[0].clock_hz
    assert clock_hz is not None
    (found,) = (
        points for (floats, *_), points in counted_series(profile).items() if floats.threads == threads
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
    return float(model_work()[point.model].usual[:8].sum())


BARS = {
    ("raspberry-pi-4", 1): (0.06, 0.18),
    ("rk3399", 1): (0.06, 0.18),
    ("raspberry-pi-5", 1): (0.063, 0.18),
    ("rk3588", 1): (0.10, 0.25),
    ("raspberry-pi-3", 1): (0.09, 0.18),
    ("raspberry-pi-zero-2-w", 1): (0.09, 0.18),
    ("rk3399", 2): (0.06, 0.18),
    ("raspberry-pi-4", 4): (0.15, 0.30),
    ("raspberry-pi-5", 4): (0.12, 0.30),
    ("rk3588", 4): (0.15, 0.30),
    ("raspberry-pi-3", 4): (0.09, 0.20),
    ("raspberry-pi-zero-2-w", 4): (0.09, 0.20),
}
"""Board and threads -> the largest median and 90th percentile of errors, floats and integers together."""
LESS_BETTER = {("rk3588", 4): 1.5}
"""How many times better than a constant per MAC, where it is not twice."""


@cache
def held_out(board: str, threads: int) -> tuple[tuple[Point, ...], tuple[HeldOut, ...]]:
    points, clock_hz = points_of(board, threads)
    return points, cross_validate_counts(points, clock_hz)


@pytest.mark.parametrize(("board", "threads"), BARS)
def test_errors_for_unseen_families(board: str, threads: int) -> None:
    points, entries = held_out(board, threads)
    assert len(entries) == len(points)
    assert {point.model.endswith("_int8") for point in points} == {True, False}
    errors, (median, p90) = [entry.error for entry in entries], BARS[board, threads]
    assert np.median(errors) <= median
    assert np.quantile(errors, 0.9) <= p90
    plain = [per_mac(points, point) for point in points]
    assert np.median(errors) * LESS_BETTER.get((board, threads), 2) <= np.median(plain), (
        "of a constant per MAC"
    )


@pytest.mark.parametrize("threads", [(1,), (2, 4)], ids=["one", "several"])
def test_four_of_five_lie_in_the_interval(threads: tuple[int, ...]) -> None:
    inside = [
        within
        for board, number in BARS
        if number in threads
        for within in insides(held_out(board, number)[1])
    ]
    assert np.mean(inside) >= 0.8


def insides(entries: Sequence[HeldOut]) -> Iterator[bool]:
    """Is each inside an interval that was made without its family?"""
    for entry in entries:
        others = [item for item in entries if item.point.family != entry.point.family]
        yield abs(entry.log_ratio) <= np.log(interval_factor(others, others))


def test_every_fitted_series_has_a_bar() -> None:
    fitted = {
        (profile.id, speed.threads)
        for profile in CATALOG.profiles.values()
        for speed in profile.counted_speeds
    }
    assert fitted == set(BARS)


XNNPACK_MS = {
    ("mobilenet_v1_1.0_224", "fp32"): 77,
    ("mobilenet_v2_1.0_224", "fp32"): 46,
    ("mobilenet_v3_large_1.0_224", "fp32"): 40,
    ("mobilenet_v3_small_1.0_224", "fp32"): 15,
    ("mobilenet_v1_1.0_224", "int8"): 24,
    ("mobilenet_v2_1.0_224", "int8"): 17,
}
"""google/XNNPACK README.md@75db3c093b6d74fe90b8df82670cd8a01102ba38, "RPi 4 (BCM2711, ARM64)": several threads, the
clock is not stated."""


def test_constants_of_ncnn_carry_to_litert() -> None:
    """What XNNPACK's authors published took no part in the fit; LiteRT computes with it."""
    (speed,) = (item for item in CATALOG.profile("raspberry-pi-4").counted_speeds if item.threads == 4)
    counts = {
        (item.model, item.precision): item
        for item in recorded()
        if (item.runtime, item.core) == ("litert", "Cortex-A72")
    }
    found = {
        key: predict_counts(speed, "litert", counts[key].by_class, counts[key].cache_misses)
        for key in XNNPACK_MS
    }
    errors = [abs(found[key].latency_ms.p50 / known - 1) for key, known in XNNPACK_MS.items()]
    assert np.median(errors) <= 0.15
    assert max(errors) <= 0.40
    within = [
        found[key].latency_ms.low <= known <= found[key].latency_ms.high for key, known in XNNPACK_MS.items()
    ]
    assert np.mean(within) >= 0.8
    assert not any(item.outside for item in found.values())


def test_a_runtime_that_was_never_held_to_measurements_is_marked() -> None:
    speed = CATALOG.profile("raspberry-pi-4").counted_speeds[0]
    item = next(item for item in recorded() if (item.model, item.core) == ("mobilenet", "Cortex-A72"))
    own, litert, other = (
        predict_counts(speed, runtime, item.by_class, item.cache_misses)
        for runtime in ("ncnn", "litert", "onnxruntime")
    )
    assert own.latency_ms.p50 == litert.latency_ms.p50 == other.latency_ms.p50
    assert own.latency_ms.high < litert.latency_ms.high < other.latency_ms.high
    assert (own.outside, litert.outside) == ((), ())
    assert "onnxruntime was not held to measurements" in other.outside[0]


def test_a_transformer_that_took_no_part_is_predicted() -> None:
    """Counted once, from the file that was timed; left out of the fit, for it is not counted on every core."""
    counted = next(
        item for item in recorded() if (item.model, item.core) == ("vision_transformer", "Cortex-A72")
    )
    points, clock_hz = points_of("raspberry-pi-4", 1)
    assert "vision_transformer" not in {point.model for point in points}
    predicted_ms = fit_counts(points, clock_hz) @ count_terms(counted.by_class, counted.cache_misses)
    assert predicted_ms == pytest.approx(6605.7, rel=0.3)  # published; 24 % too slow


def test_every_count_is_whole() -> None:
    for item in recorded():
        assert item.model in model_work()
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
    # held to guesses that are off by up to a factor of two
    assert fit_counts(points, 1e9) == pytest.approx(true_ms, rel=0.06)


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
