"""Measurements of emulated devices: what the plugin counted as a record, compared, gated and printed; no time anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.cli.counted import print_answers, print_instructions
from edgekit.errors import EdgekitError
from edgekit.profiling.counted import instructions
from edgekit.profiling.gates import check_gates, parse_gate
from edgekit.profiling.record import Measurement
from edgekit.profiling.stored import compare_measurements
from edgekit.reports.page import render
from edgekit.reports.sources import Evidence
from tests.profiling.synthetic import QUIET, measurement

REGIONS = [
    {
        "total": 1_000_200,
        "fma": 700_000,
        "scalar": 300_200,
        "l1_misses": 5000,
        "l2_misses": 70,
        "l2_written": 30,
    },
    {
        "total": 1_000_000,
        "fma": 700_000,
        "scalar": 300_000,
        "l1_misses": 4000,
        "l2_misses": 60,
        "l2_written": 20,
    },
]


def emulated(factor: float = 1.0) -> Measurement:
    """A record as ``count`` makes it, its instructions ``factor`` times as many."""
    regions = [{name: round(number * factor) for name, number in region.items()} for region in REGIONS]
    return measurement(np.random.default_rng(1), QUIET).model_copy(
        update={
            "device": "emulated:raspberry-pi-4",
            "kind": "emulated",
            "latency_ms": None,
            "cold_start_ms": None,
            "warm_start_ms": None,
            "load_ms": None,
            "starts": (),
            "instructions": instructions(regions),
            "golden_error": 0.01,
            "golden_equal_share": 0.25,
            "golden_max_difference": 0.5,
        }
    )


def test_the_fewest_counts() -> None:
    found = instructions(REGIONS)
    assert found is not None
    assert (found.total, found.samples) == (1_000_000, (1_000_200, 1_000_000))
    assert found.by_class == {"fma": 700_000, "scalar": 300_000}
    assert found.cache_misses == {"l1": 4000, "l2": 60}
    assert found.written_misses == {"l2": 20}
    assert instructions([]) is None


def test_the_first_inference_finds_empty_caches_and_does_not_count() -> None:
    cold = {**REGIONS[1], "total": 999_999, "l2_misses": 900}
    found = instructions([cold, *REGIONS])
    assert found is not None
    assert (found.total, found.cache_misses["l2"], len(found.samples)) == (1_000_000, 60, 3)


def test_a_record_is_read_back() -> None:
    item = emulated()
    assert Measurement.model_validate_json(item.model_dump_json(by_alias=True)) == item


@pytest.mark.parametrize(
    ("factor", "verdict", "gate"),
    [
        (1.0, "same", "passed"),
        (1.0005, "same", "passed"),
        (1.02, "worse", "failed"),
        (0.98, "better", "passed"),
    ],
)
def test_counts_are_compared(factor: float, verdict: str, gate: str) -> None:
    found = compare_measurements(emulated(), emulated(factor))
    assert {metric.name for metric in found.metrics} == {"memory", "instructions"}
    assert found.verdict == verdict
    (result,) = check_gates([parse_gate("instructions>+1%")], found)
    assert result.status == gate


def test_a_gate_on_time_says_that_there_is_none() -> None:
    found = compare_measurements(emulated(), emulated())
    with pytest.raises(EdgekitError, match="p50 was not measured in both"):
        check_gates([parse_gate("p50>+5%")], found)


def test_emulated_and_measured_are_not_compared() -> None:
    with pytest.raises(EdgekitError, match="not comparable"):
        compare_measurements(emulated(), measurement(np.random.default_rng(1), QUIET))


def test_is_printed_with_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    print_instructions(emulated())
    print_answers(emulated())
    said = " ".join(capsys.readouterr().out.split())
    assert "1.000 M instructions an inference (emulated on emulated:raspberry-pi-4)" in said
    assert "fused multiply-add 0.700 70.0%" in said
    assert "25.0% of the golden values bit for bit the build host's, largest difference 0.5" in said


def test_the_report_shows_counts_and_no_time() -> None:
    page = render(Evidence(manifests=(), measurements=(emulated(),)), title="t")
    body = page[page.index("<main>") :]
    assert "Instructions of one inference" in body
    assert "no latency: emulated" in body
    assert "25.00 % of the values bit for bit" in body
    assert "Latency distribution" not in body


def test_nothing_counted_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    item = emulated().model_copy(update={"instructions": None, "why_no_instructions": "no plugin"})
    print_instructions(item)
    assert "no instructions: no plugin" in " ".join(capsys.readouterr().err.split())
    assert compare_measurements(item, item).metric("instructions") is None
