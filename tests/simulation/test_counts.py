"""Emulated counts: whole, and latencies predicted from them as well as the documentation says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgekit.catalog import load_catalog
from edgekit.simulation.calibrating import interval_factor
from edgekit.simulation.count_fitting import (
    calibrate_counts,
    core_cycles,
    cross_validate_counts,
    fit_counts,
)
from edgekit.simulation.count_points import (
    CHANGED_SINCE,
    CountedRun,
    akin,
    counted_points,
    counted_runs,
    days_between,
)
from edgekit.simulation.count_predict import predict_counts
from edgekit.simulation.count_terms import COUNT_NAMES, GUESS_CYCLES, count_terms
from edgekit.simulation.crossing import HeldOut, Point
from edgekit.simulation.emulated_counts import LEVELS, record, recorded
from edgekit.simulation.published import Series, model_work, published
from edgekit.simulation.terms import macs_of

CATALOG = load_catalog()
COUNTED = tuple(profile.id for profile in CATALOG.profiles.values() if profile.counted_speeds)


@cache
def run_of(board: str, threads: int) -> tuple[CountedRun, tuple[CountedRun, ...]]:
    """What the profile's constants were fitted to, and the runs on the same core."""
    (found,) = (run for run in counted_runs(CATALOG.profile(board)) if run.threads == threads)
    return found, tuple(akin(found, CATALOG.profiles.values()))


def per_mac(points: Sequence[Point], unseen: Point) -> float:
    """Error of the median time per MAC of all other families, in the point's own precision."""
    integer = unseen.model.endswith("_int8")
    known = [
        item for item in points if item.family != unseen.family and item.model.endswith("_int8") == integer
    ]
    pace = np.median([item.latency_ms / macs(item) for item in known])
    return float(abs(pace * macs(unseen) / unseen.latency_ms - 1))


def macs(point: Point) -> float:
    return macs_of(model_work()[point.model].usual)


BARS = {
    ("raspberry-pi-4", 1): (0.06, 0.18),
    ("rk3399", 1): (0.06, 0.18),
    ("raspberry-pi-5", 1): (0.06, 0.18),
    ("rk3588", 1): (0.062, 0.18),
    ("raspberry-pi-3", 1): (0.06, 0.18),
    ("raspberry-pi-zero-2-w", 1): (0.06, 0.18),
    ("rk3399", 2): (0.06, 0.18),
    ("raspberry-pi-4", 4): (0.12, 0.30),
    ("raspberry-pi-5", 4): (0.12, 0.30),
    ("rk3588", 4): (0.13, 0.30),
    ("raspberry-pi-3", 4): (0.09, 0.20),
    ("raspberry-pi-zero-2-w", 4): (0.09, 0.20),
}
"""Board and threads -> the largest median and 90th percentile of errors, floats and integers together."""
LESS_BETTER = {("rk3588", 4): 1.7}
"""How many times better than a constant per MAC, where it is not twice."""


@cache
def held_out(board: str, threads: int) -> tuple[tuple[Point, ...], tuple[HeldOut, ...]]:
    run, others = run_of(board, threads)
    return run.points, cross_validate_counts(run, others)


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


@pytest.mark.parametrize(
    ("threads", "run", "other", "median"),
    [(1, "run70", "run191", 0.082), (1, "run70", "run65", 0.085), (4, "run92", "run193", 0.113),
     (4, "run92", "run93", 0.219), (4, "run193", "run93", 0.247)],
)  # fmt: skip
def test_how_well_one_run_of_a_board_predicts_another(
    threads: int, run: str, other: str, median: float
) -> None:
    """What noise there is in the truth: an RK3588's runs, one from the other times the ratio of all other families."""
    first, second = (latencies("rk3588", threads, name) for name in (run, other))
    errors = []
    for model in first.keys() & second.keys():
        ratio = np.median(
            [
                first[item].latency_ms / second[item].latency_ms
                for item in first.keys() & second.keys()
                if first[item].family != first[model].family
            ]
        )
        errors.append(abs(second[model].latency_ms * ratio / first[model].latency_ms - 1))
    assert np.median(errors) == pytest.approx(median, abs=0.005)


def latencies(board: str, threads: int, run: str) -> dict[str, Point]:
    """In floats and integers; without what ``CHANGED_SINCE`` names."""
    return {
        point.model: point
        for series, points in published().items()
        if (series.board, series.runtime, series.threads, series.run) == (board, "ncnn", threads, run)
        for point in points
        if point.model not in CHANGED_SINCE
    }


XNNPACK_MS = {
    ("mobilenet_v1_1.0_224", "fp32"): 77,
    ("mobilenet_v2_1.0_224", "fp32"): 46,
    ("mobilenet_v3_large_1.0_224", "fp32"): 40,
    ("mobilenet_v3_small_1.0_224", "fp32"): 15,
    ("mobilenet_v1_1.0_224", "int8"): 24,
    ("mobilenet_v2_1.0_224", "int8"): 17,
}
"""google/XNNPACK README.md@75db3c093b6d74fe90b8df82670cd8a01102ba38, "RPi 4 (BCM2711, ARM64)", several threads, on
Raspbian Buster in February 2022."""
BUSTER_HZ = 1.5e9
"""What a Pi 4 runs at by itself; 1.8 GHz came with Bullseye, on newer boards."""


def test_constants_of_ncnn_carry_to_litert() -> None:
    """What XNNPACK's authors published took no part in the fit; LiteRT computes with it."""
    (speed,) = (item for item in CATALOG.profile("raspberry-pi-4").counted_speeds if item.threads == 4)
    counts = {
        (item.model, item.precision): item
        for item in recorded()
        if (item.runtime, item.core) == ("litert", "Cortex-A72")
    }
    found = {key: predict_counts(speed, "litert", counts[key]) for key in XNNPACK_MS}
    clock_hz = CATALOG.profile("raspberry-pi-4").cpu.clusters[0].clock_hz
    assert clock_hz is not None
    slower = clock_hz / BUSTER_HZ  # memory is as fast as before: the truth lies between
    errors = [abs(found[key].latency_ms.p50 * slower / known - 1) for key, known in XNNPACK_MS.items()]
    assert np.median(errors) <= 0.10
    assert max(errors) <= 0.30
    within = [
        found[key].latency_ms.low * slower <= known <= found[key].latency_ms.high * slower
        for key, known in XNNPACK_MS.items()
    ]
    assert np.mean(within) >= 0.8
    assert not any(item.outside for item in found.values())


def test_a_runtime_that_was_never_held_to_measurements_is_marked() -> None:
    speed = CATALOG.profile("raspberry-pi-4").counted_speeds[0]
    item = next(item for item in recorded() if (item.model, item.core) == ("mobilenet", "Cortex-A72"))
    own, litert, other = (
        predict_counts(speed, runtime, item) for runtime in ("ncnn", "litert", "onnxruntime")
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
    run, others = run_of("raspberry-pi-4", 1)
    assert "vision_transformer" not in {point.model for point in run.points}
    constants = fit_counts(run, core_cycles(others))
    predicted_ms = constants @ count_terms(counted)
    assert predicted_ms == pytest.approx(6605.7, rel=0.2)  # published; 13 % too slow


def test_every_count_is_whole() -> None:
    for item in recorded():
        assert item.model in model_work()
        assert sum(item.by_class.values()) > 1e6
        misses = [item.cache_misses[level] for level in LEVELS[: len(item.cache_bytes)]]
        assert misses == sorted(misses, reverse=True), "what one cache has, the next is not asked for"
        assert all(0 < count <= item.cache_misses[level] for level, count in item.written_misses.items())
        assert item.written_misses or len(misses) < len(LEVELS), "where there is an L3 they are told apart"


@pytest.mark.parametrize("board", COUNTED)
def test_a_profile_says_what_counts_and_measurements_say(board: str) -> None:
    """Constants and errors in the file are those that a fit makes today."""
    profile = CATALOG.profile(board)
    runs = counted_runs(profile)
    assert [(speed.runtime, speed.version, speed.threads or 0) for speed in profile.counted_speeds] == [
        (run.series[0].runtime, run.series[0].version, run.threads) for run in runs
    ]
    for speed, run in zip(profile.counted_speeds, runs, strict=True):
        found = calibrate_counts(run, akin(run, CATALOG.profiles.values()))
        assert speed.constants_ps == pytest.approx(dict(found.constants_ps), rel=1e-3)
        assert speed.error_pct.median == pytest.approx(found.median_pct, abs=0.1)
        assert speed.interval_factor == pytest.approx(found.interval_factor, rel=1e-3)
        assert speed.constants_ps.keys() <= set(COUNT_NAMES)


def test_constants_that_made_the_latencies_are_found() -> None:
    """With amounts that tell the terms apart, what comes out is what was put in."""
    random = np.random.default_rng(3)
    true_ms = GUESS_CYCLES / 1e9 * 1e3 * random.uniform(0.5, 2, len(GUESS_CYCLES))
    terms = random.uniform(1e6, 1e8, (120, len(GUESS_CYCLES))) / GUESS_CYCLES
    run = made_run(terms, true_ms)
    # held to guesses that are off by up to a factor of two
    assert fit_counts(run) == pytest.approx(true_ms, rel=0.06)


def made_run(terms: np.ndarray, true_ms: np.ndarray, latencies_times: float = 1) -> CountedRun:
    """Models of which each is a family, on a core of 1 GHz."""
    points = tuple(
        Point(f"m{index}", f"m{index}", float(row @ true_ms) * latencies_times, row)
        for index, row in enumerate(terms)
    )
    series = Series("made", "ncnn", "2023-08-25", "fp32", 1, "run1")
    return CountedRun(series=(series,), points=points, core="Cortex-A76", clock_hz=1e9)


def test_what_a_run_leaves_open_is_what_its_core_has() -> None:
    """Terms that stand in a fixed ratio in one run are told apart by another on the same core."""
    random = np.random.default_rng(5)
    true_ms = GUESS_CYCLES / 1e9 * 1e3 * random.uniform(0.5, 2, len(GUESS_CYCLES))
    terms = random.uniform(1e6, 1e8, (60, len(GUESS_CYCLES))) / GUESS_CYCLES
    blind = terms.copy()
    blind[:, 1] = blind[:, 0]
    run, other = made_run(blind, true_ms), made_run(terms, true_ms)
    alone, beside = fit_counts(run), fit_counts(run, core_cycles([run, other]))
    assert np.abs(beside[:2] / true_ms[:2] - 1).max() < 0.6 * np.abs(alone[:2] / true_ms[:2] - 1).max()
    assert beside[2:] == pytest.approx(true_ms[2:], rel=0.06)


def test_a_run_is_akin_to_those_of_its_core_on_one_thread_or_several() -> None:
    run, others = run_of("rk3588", 1)
    assert {(item.series[0].board, item.threads) for item in others} == {("rk3588", 1), ("raspberry-pi-5", 1)}
    assert run.series in [item.series for item in others]
    _, several = run_of("rk3399", 2)
    assert {(item.series[0].board, item.threads) for item in several} == {
        ("rk3399", 2),
        ("raspberry-pi-4", 4),
    }


def test_a_run_takes_the_counts_of_the_release_of_its_day() -> None:
    """Kernels in integers were rewritten in autumn 2023: their counts of before and after are not the same."""
    assert days_between("1.0.20230816", "2023-08-25") == days_between("1.0.20230903", "2023-08-25") == 9
    profile = CATALOG.profile("rk3588")
    series = run_of("rk3588", 1)[0].series[1]
    (found,) = (point for point in counted_points(series, profile) if point.model == "resnet18_int8")
    releases = {
        item.version: count_terms(item)
        for item in recorded()
        if (item.model, item.core) == ("resnet18_int8", "Cortex-A76")
    }
    assert found.terms == pytest.approx(releases["1.0.20230816"])
    assert max(releases["1.0.20230816"] / releases["1.0.20240102"]) > 1.5


def test_terms_are_sums_of_the_classes() -> None:
    item = recorded()[0]
    terms = dict(zip(COUNT_NAMES, count_terms(item).tolist(), strict=True))
    instructions = sum(terms[name] for name in COUNT_NAMES if not name.endswith(("_misses", "_written")))
    assert instructions == sum(item.by_class.values())
    assert terms["last_misses"] == item.cache_misses["l2"]


def test_misses_that_stores_make_are_terms_where_there_is_an_l3() -> None:
    item = next(item for item in recorded() if item.core == "Cortex-A76")
    terms = dict(zip(COUNT_NAMES, count_terms(item).tolist(), strict=True))
    for name, level in (("l1", "l1"), ("middle", "l2"), ("last", "l3")):
        assert terms[f"{name}_written"] == item.written_misses[level] > 0
        assert terms[f"{name}_misses"] + terms[f"{name}_written"] == item.cache_misses[level]
    two = replace(item, cache_misses={"l1": 900, "l2": 70}, written_misses={"l1": 90, "l2": 30})
    terms = dict(zip(COUNT_NAMES, count_terms(two).tolist(), strict=True))
    assert [terms[name] for name in COUNT_NAMES[-6:]] == [900, 0, 70, 0, 0, 0]


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    record(recorded()[:3], path)
    assert recorded(path) == recorded()[:3]
