"""The published measurements: whole, with their sources, and as well predicted as the documentation says."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pytest

from edgekit.catalog import load_catalog
from edgekit.simulation.calibrating import calibrate, interval_factor
from edgekit.simulation.choosing import chosen
from edgekit.simulation.crossing import HeldOut, Point, cross_validate, points_of
from edgekit.simulation.fitting import Population, fit_constants, fit_population
from edgekit.simulation.probing import choose_probes
from edgekit.simulation.published import FOLDER, Series, alike, origins, published
from edgekit.simulation.terms import macs_of


def test_every_measurement_has_a_source_and_a_graph() -> None:
    with (FOLDER / "measurements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(map(len, published().values()))
    assert all(found.latency_ms > 0 for points in published().values() for found in points)
    for series in published():
        for origin in origins()[series]:
            assert origin.repository.startswith(("github:", "pypi:"))
            is_release = origin.repository.startswith("pypi:")
            assert origin.commit.count(".") == 2 if is_release else len(origin.commit) == 40
            assert origin.licence in ("Apache-2.0", "BSD-3-Clause")


FIVE = 5


def errors(entries: Sequence[HeldOut]) -> tuple[float, float]:
    off = [entry.error for entry in entries]
    return float(np.median(off)), float(np.quantile(off, 0.9))


def coverage(held_out: dict[Series, tuple[HeldOut, ...]]) -> float:
    """Share of measurements inside intervals that were made without their family."""
    everywhere = [entry for entries in held_out.values() for entry in entries]
    inside = []
    for entries in held_out.values():
        for family in {entry.point.family for entry in entries}:
            own = [entry for entry in entries if entry.point.family != family]
            others = [entry for entry in everywhere if entry.point.family != family]
            limit = np.log(interval_factor(own, others))
            inside += [abs(entry.log_ratio) <= limit for entry in entries if entry.point.family == family]
    return float(np.mean(inside))


def per_mac(points: Sequence[Point], unseen: Point) -> float:
    """Error of the median time per MAC of all other families."""
    known = [point for point in points if point.family != unseen.family]
    pace = np.median([point.latency_ms / macs_of(point.terms) for point in known])
    return float(abs(pace * macs_of(unseen.terms) / unseen.latency_ms - 1))


@pytest.mark.parametrize(
    ("runtime", "median", "p90"),
    [
        ("tflite", 0.10, 0.30),
        ("armnn", 0.10, 0.30),
        ("tflite-xnnpack", 0.10, 0.30),
        ("paddle-lite", 0.10, 0.30),
        ("openvino", 0.15, 0.42),
        ("rknn", 0.15, 0.42),
        ("qnn", 0.28, 0.95),
        ("cann", 0.31, 0.85),
        pytest.param("ncnn", 0.12, 0.40, marks=pytest.mark.slow),
    ],
)
def test_errors_for_unseen_families(runtime: str, median: float, p90: float) -> None:
    entries: list[HeldOut] = []
    for precision in ("fp32", "int8"):
        series = alike(runtime, precision)
        if not series:  # of NPUs and of OpenVINO's latencies only int8 was taken
            continue
        held_out = dict(cross_validate(series))
        found = [entry for items in held_out.values() for entry in items]
        plain = [per_mac(series[key], entry.point) for key, items in held_out.items() for entry in items]
        # twice as good as a constant per MAC, in each precision
        assert errors(found)[0] * 2 <= np.median(plain)
        assert coverage(held_out) >= 0.8
        entries += found
    assert errors(entries)[0] <= median
    assert errors(entries)[1] <= p90


@cache
def without(board: str, runtime: str, precision: str) -> Population:
    """What all other boards have in common."""
    series = alike(runtime, precision)
    return fit_population([points_of(points) for item, points in series.items() if item.board != board])


def new_boards(runtime: str, precision: str, *, recommended: bool) -> Iterator[float]:
    """Errors for all other models of boards that took no part, from five of their models."""
    series = alike(runtime, precision)
    others = np.unique([point.terms for points in series.values() for point in points], axis=0)
    for board in sorted({item.board for item in series}):
        population = without(board, runtime, precision)
        for item, points in series.items():
            if item.board != board or len(points) <= FIVE:
                continue
            by_name = {str(place): point.terms for place, point in enumerate(points)}
            best = (
                [int(probe.name) for probe in choose_probes(by_name, population, others, count=FIVE)]
                if recommended
                else []
            )
            random = np.random.default_rng(zlib.crc32(repr(item).encode()))
            draws = (
                [best] if recommended else [random.choice(len(points), FIVE, replace=False) for _ in range(4)]
            )
            for known in map(set, draws):
                constants = fit_constants(points_of([points[place] for place in sorted(known)]), population)
                for place, point in enumerate(points):
                    if place not in known:
                        yield abs(float(point.terms @ constants) / point.latency_ms - 1)


@pytest.mark.parametrize("recommended", [False, True], ids=["random", "recommended"])
@pytest.mark.parametrize(
    ("runtime", "median", "p90"),
    [
        ("tflite", 0.10, 0.30),
        ("armnn", 0.10, 0.30),
        ("qnn", 0.30, 0.85),
        pytest.param("ncnn", 0.10, 0.32, marks=pytest.mark.slow),
    ],
)
def test_a_new_board_from_five_models(runtime: str, median: float, p90: float, recommended: bool) -> None:
    """As a user would do it with ``profiles probes`` and ``profiles fit``; none of the board's runs is in the population."""
    off = [
        error
        for precision in ("fp32", "int8")
        for error in new_boards(runtime, precision, recommended=recommended)
    ]
    assert np.median(off) <= median
    assert np.quantile(off, 0.9) <= p90


def test_a_profile_says_what_its_measurements_say() -> None:
    """Constants and errors in the file are those that a fit makes today."""
    series = next(
        item
        for item in chosen(published(), "raspberry-pi-4")
        if (item.runtime, item.precision) == ("tflite", "fp32")
    )
    fitted = calibrate(alike("tflite", "fp32"), [series])[series]
    speeds = load_catalog().profile("raspberry-pi-4").speeds
    stated = next(item for item in speeds if (item.runtime, item.precision) == ("tflite", "fp32"))
    assert stated.constants_ps == pytest.approx(dict(fitted.constants_ps), rel=1e-3)
    assert (stated.error_pct.median, stated.error_pct.p90) == pytest.approx(
        (fitted.median_pct, fitted.p90_pct), abs=0.1
    )
    assert stated.interval_factor == pytest.approx(fitted.interval_factor, rel=1e-3)


def test_boards_of_profiles_were_measured() -> None:
    """Speeds of the bundled profiles were fitted to what is published here, not typed."""
    for profile in load_catalog().profiles.values():
        if profile.speeds:
            own = [speed for speed in profile.speeds if not speed.transferred_from]
            stated = {(speed.runtime, speed.precision, speed.threads or 0) for speed in own}
            measured = {
                (item.runtime, item.precision, item.threads)
                for item in chosen(published(), profile.id)
                if item.runtime not in {transfer.runtime for transfer in profile.transfers}
            }
            assert stated == measured
