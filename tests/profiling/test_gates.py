"""Conditions: how they are written, when they fail, and what a CI system gets to see."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgekit.errors import EdgekitError
from edgekit.profiling.comparison import Comparison, Metric
from edgekit.profiling.gates import check_gates, parse_gate
from edgekit.profiling.junit import write_junit


def _comparison(ratio: float = 1.0, low: float = 0.99, high: float = 1.01) -> Comparison:
    latency = Metric(
        name="p50",
        unit="ms",
        a=10.0,
        b=10.0 * ratio,
        ratio=ratio,
        ci_low=low,
        ci_high=high,
        basis="wall time",
    )
    memory = Metric(
        name="memory",
        unit="bytes",
        a=80e6,
        b=90e6,
        ratio=1.125,
        ci_low=1.11,
        ci_high=1.14,
        basis="kernel's peak",
    )
    return Comparison(a="a", b="b", how="stored", device="local", kind="measured", metrics=(latency, memory))


@pytest.mark.parametrize(
    ("text", "metric", "relative", "limit"),
    [
        ("p99>+5%", "p99", True, 0.05),
        (" latency_p50 > 20 ms ", "p50", False, 20.0),
        ("p90>1.5s", "p90", False, 1500.0),
        ("cold_start>+12.5%", "cold_start", True, 0.125),
        ("memory>100MB", "memory", False, 100e6),
        ("memory_peak>+10%", "memory", True, 0.1),
        ("instructions>+1%", "instructions", True, 0.01),
        ("instructions>150M", "instructions", False, 150e6),
    ],
)
def test_is_read(text: str, metric: str, relative: bool, limit: float) -> None:
    gate = parse_gate(text)
    assert (str(gate.metric), gate.relative) == (metric, relative)
    assert gate.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p98>+5%", "no metric 'p98'; did you mean 'p9"),
        ("p50>5%", r"a rise is written with \+ and %"),
        ("p50>+5ms", r"a rise is written with \+ and %"),
        ("p50>5", "p50 needs one of the units us, ms, s, or %"),
        ("memory>20ms", "memory needs one of the units B, kB, MB, GB, or %"),
        ("p50<20ms", "not a condition; write METRIC>"),
        ("", "not a condition"),
    ],
)
def test_a_wrong_one_says_how_to_write_it(text: str, message: str) -> None:
    with pytest.raises(EdgekitError, match=message):
        parse_gate(text)


@pytest.mark.parametrize(
    ("text", "measured", "status"),
    [
        ("p50>+3%", (1.05, 1.04, 1.06), "failed"),
        ("p50>+5%", (1.04, 1.03, 1.045), "passed"),
        # over the limit as measured, but the interval holds 'no difference': nothing is known yet
        ("p50>+3%", (1.05, 0.9, 1.2), "inconclusive"),
        ("p50>+3%", (1.0, 0.95, 1.05), "inconclusive"),
        ("p50>+3%", (0.9, 0.89, 0.91), "passed"),
        ("p50>10.4ms", (1.05, 1.04, 1.06), "failed"),
        ("p50>10.6ms", (1.05, 1.04, 1.06), "passed"),
        ("memory>85MB", (1.0, 1.0, 1.0), "failed"),
        ("memory>+20%", (1.0, 1.0, 1.0), "passed"),
    ],
)
def test_fails_only_on_what_was_established(
    text: str, measured: tuple[float, float, float], status: str
) -> None:
    assert [result.status for result in check_gates([parse_gate(text)], _comparison(*measured))] == [status]


def test_a_metric_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(EdgekitError, match="p99 was not measured in both"):
        check_gates([parse_gate("p99>+5%")], _comparison())


def test_verdict_on_the_whole() -> None:
    slower, faster = _comparison(1.1, 1.08, 1.12), _comparison(0.9, 0.88, 0.92)
    assert slower.verdict == "worse"
    # more memory outweighs less time: somebody has to look at it
    assert faster.verdict == "worse"
    assert dataclasses.replace(faster, metrics=faster.metrics[:1]).verdict == "better"


def test_a_difference_too_small_to_matter_is_the_same() -> None:
    """However sure: two processes of one bundle differ by half a percent."""
    assert _comparison(1.005, 1.004, 1.006).metrics[0].verdict == "same"


def test_junit_tells_failed_from_inconclusive(tmp_path: Path) -> None:
    comparison = _comparison(1.05, 0.9, 1.2)
    results = check_gates([parse_gate(text) for text in ("p50>+3%", "memory>+10%", "memory>1GB")], comparison)
    write_junit(tmp_path / "gates.xml", comparison, results)
    suite = ElementTree.parse(tmp_path / "gates.xml").getroot()
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped", "errors")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    failed = suite.find("testcase[failure]")
    assert failed is not None
    assert failed.get("name") == "memory>+10%"


def test_junit_without_gates_is_the_verdict(tmp_path: Path) -> None:
    write_junit(tmp_path / "verdict.xml", _comparison(), [])
    suite = ElementTree.parse(tmp_path / "verdict.xml").getroot()
    assert suite.get("failures") == "1"
    with pytest.raises(EdgekitError, match="cannot be written"):
        write_junit(tmp_path / "absent" / "verdict.xml", _comparison(), [])
