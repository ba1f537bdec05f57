"""Latencies from the graph against measurements that took no part: as good as the documentation says."""

from __future__ import annotations

import csv
import hashlib
import math

import numpy as np
import pytest

from benchmarks.latency_aside import FOLDER, HOW, Verdict, aside, profiles
from benchmarks.latency_variants import PARTS, left_out, per_mac_errors
from edgekit.simulation.calibrating import interval_factor
from edgekit.simulation.crossing import HeldOut, Point
from edgekit.simulation.published import FOLDER as PUBLISHED
from edgekit.simulation.published import origins_in, published
from scripts.paddleclas import paddleclas

THOROUGH = pytest.mark.thorough
LICENCES = ("Apache-2.0", "BSD-3-Clause", "none stated; figures only")


def test_nothing_of_it_took_part() -> None:
    """Neither a row nor, but for boards that are judged by other models or runs, a board with that runtime."""
    with (PUBLISHED / "measurements.csv").open(newline="") as file:
        known = {tuple(row.values())[:-1] for row in csv.DictReader(file)}
    with (FOLDER / "measurements.csv").open(newline="") as file:
        rows = [tuple(row.values())[:-1] for row in csv.DictReader(file)]
    assert len(set(rows)) == len(rows) == sum(map(len, aside().values()))
    assert not known & set(rows)
    both = {(item.runtime, item.board) for item in aside()} & {
        (item.runtime, item.board) for item in published()
    }
    again = {"kirin-990", "snapdragon-855-2840mhz"}  # Paddle-Lite: of other pages of its documentation
    small_boards = {item.board for item in aside() if item.version == "small-board"}
    assert {board for runtime, board in both if runtime == "paddle-lite"} == again
    assert {board for runtime, board in both if runtime == "ncnn"} == small_boards
    assert {runtime for runtime, _ in both} == {"ncnn", "paddle-lite"}


def test_every_measurement_has_a_source_and_a_graph() -> None:
    assert all(point.latency_ms > 0 for points in aside().values() for point in points)
    for series, sources in origins_in(FOLDER).items():
        assert series in aside()
        for origin in sources:
            assert origin.repository.startswith("github:")
            assert len(origin.commit) == 40
            assert origin.licence in LICENCES


@pytest.mark.parametrize("runtime", ["tflite", "armnn", "tflite-xnnpack", "openvino"])
def test_boards_were_taken_out_by_a_rule(runtime: str) -> None:
    """Of those that no profile is of: the third whose names have the least SHA-256, at least one."""
    split = {item.board for item in aside() if item.runtime == runtime and "end2end" not in item.version}
    candidates = split | {item.board for item in published() if item.runtime == runtime}
    # another clock of a board with a profile is no other board
    others = [board for board in candidates if board not in profiles() and not board.endswith("mhz")]
    others.sort(key=lambda board: hashlib.sha256(board.encode()).hexdigest())
    assert split == set(others[: math.ceil(len(others) / 3)])


def test_shapes_of_paddleclas_are_those_that_it_states() -> None:
    """Its counter takes a normalization for two operations an element and four parameters a channel."""
    with (FOLDER / "stated.csv").open(newline="") as file:
        stated = {
            row["model"]: (float(row["macs_m"]), float(row["params_m"])) for row in csv.DictReader(file)
        }
    built = dict(paddleclas())
    assert set(built) - set(stated) == {"paddle/VGG19"}
    for name, (macs_m, parameters_m) in stated.items():
        normalized = [layer for layer in built[name] if layer.kernel and layer.writes != layer.out_channels]
        macs = sum(layer.macs for layer in built[name]) + 2 * sum(layer.writes for layer in normalized)
        weights = sum(layer.weights for layer in built[name]) + 4 * sum(
            layer.out_channels for layer in normalized
        )
        assert macs / 1e6 == pytest.approx(macs_m, rel=0.01)
        assert weights / 1e6 == pytest.approx(parameters_m, rel=0.01, abs=0.006)  # stated to two digits


BARS = [
    # runtime, precision, how; median, 90th percentile, share inside the interval
    ("armnn", "fp32", "new board, five at random", 0.10, 0.30, 0.8),
    ("armnn", "int8", "new board, five at random", 0.10, 0.30, 0.8),
    ("tflite-xnnpack", "fp32", "new board, three of four", 0.10, 0.30, 0.8),
    ("tflite-xnnpack", "fp32", "new board, five recommended", 0.10, 0.30, 0.8),
    ("paddle-lite", "fp32", "known board, other models", 0.10, 0.30, 0.8),
    ("paddle-lite", "fp32", "new board, five at random", 0.10, 0.30, 0.8),
    ("openvino", "int8", "new board, five at random", 0.15, 0.42, 0.8),
    ("ncnn", "fp32", "as shipped", 0.12, 0.40, 0.8),
    # a third of the rest is of NPUs of another generation
    ("rknn", "int8", "new board, five at random", 0.15, 0.55, 0.8),
    # one phone whose own latencies go up and down with the shape: 192 x 192 took longer there than 224 x 224
    ("tflite", "int8", "new board, five at random", 0.20, 0.55, 0.65),
    # three rows of one chip, all a quarter faster than its other page says
    ("paddle-lite", "fp32", "as shipped", 0.26, 0.27, 0.6),
    # of three boards one was busy: its latencies are ten times those of its twin, in no order
    pytest.param("tflite-xnnpack", "int8", "new board, five at random", 0.17, 0.55, 0.8, marks=THOROUGH),
    pytest.param("tflite-xnnpack", "int8", "new board, five recommended", 0.15, 0.55, 0.8, marks=THOROUGH),
    pytest.param("tflite-xnnpack", "fp32", "new board, five at random", 0.10, 0.30, 0.8, marks=THOROUGH),
    # 26 of 31 boards are no Arm cores, of which there are two in the population
    pytest.param("ncnn", "fp32", "new board, five at random", 0.15, 0.55, 0.8, marks=THOROUGH),
    pytest.param("ncnn", "fp32", "new board, five recommended", 0.12, 0.32, 0.8, marks=THOROUGH),
    pytest.param("ncnn", "int8", "new board, five at random", 0.15, 0.50, 0.8, marks=THOROUGH),
    pytest.param("ncnn", "int8", "new board, five recommended", 0.12, 0.32, 0.8, marks=THOROUGH),
]


@pytest.mark.parametrize(("runtime", "precision", "how", "median", "p90", "inside"), BARS)
def test_errors_of_what_took_no_part(
    runtime: str, precision: str, how: str, median: float, p90: float, inside: float
) -> None:
    found = Verdict.of(list(HOW[how](runtime, precision)))
    assert found.median <= median
    assert found.p90 <= p90
    assert found.inside >= inside
    assert found.median < found.per_mac


SHAPES = [
    # runtime, precision; medians without the shape, its width, its resolution, its family
    ("tflite-xnnpack", "fp32", (0.05, 0.05, 0.05, 0.10)),
    ("tflite-xnnpack", "int8", (0.05, 0.06, 0.05, 0.10)),
    ("paddle-lite", "fp32", (0.05, 0.05, None, 0.10)),
    ("rknn", "int8", (0.12, 0.12, None, 0.15)),
    pytest.param("tflite", "int8", (0.05, 0.05, 0.05, 0.10), marks=THOROUGH),
    pytest.param("tflite", "fp32", (0.07, 0.08, 0.07, 0.14), marks=THOROUGH),
    pytest.param("armnn", "fp32", (0.07, 0.08, 0.07, 0.12), marks=THOROUGH),
    pytest.param("armnn", "int8", (0.05, 0.05, 0.05, 0.10), marks=THOROUGH),
]


@pytest.mark.parametrize(("runtime", "precision", "bars"), SHAPES)
def test_changed_widths_and_resolutions(runtime: str, precision: str, bars: tuple[float | None, ...]) -> None:
    """Twice as good as a constant per MAC of the same architecture's other shapes, and better without any of them."""
    plain = float(np.median(list(per_mac_errors(runtime, precision))))
    for part, bar in zip(PARTS, bars, strict=True):
        off = [entry.error for entry in left_out(runtime, precision, part)]
        assert bool(off) == (bar is not None)
        if bar is not None:
            assert np.median(off) <= bar
            assert np.median(off) * (1 if part == "family" else 2) <= plain


def held_out(log_ratio: float) -> HeldOut:
    point = Point("model", "family", math.exp(log_ratio), np.zeros(1))
    return HeldOut(point, 1.0)


def test_an_interval_of_few_measurements_is_wide() -> None:
    """Never below 1.25, and wider by what the board's own measurements are noisier than usual."""
    precise = [held_out(0.02)] * 40
    assert interval_factor(precise, precise) == pytest.approx(math.exp(0.02), rel=1e-3)
    assert interval_factor(precise[:5], precise) == 1.25
    noisy = interval_factor(precise[:5], precise, excess=0.2**2)
    assert noisy == pytest.approx(math.exp(math.hypot(math.log(1.25), 1.645 * 0.2)), rel=1e-3)
    assert interval_factor(precise, precise, excess=0.2**2) == pytest.approx(math.exp(0.02), rel=1e-3)
