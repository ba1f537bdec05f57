"""The report as a file: what it says, what it escapes, and that it stands alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.errors import DataError
from edgekit.reports.page import render, write_report
from edgekit.reports.plots import candidate_points, time_by_operator
from edgekit.reports.sources import Evidence
from tests.reports.evidence import manifest, measurement

EVIDENCE = Evidence(manifests=(manifest(),), measurements=(measurement(), measurement(2, scale=1.3)))


def _text(page: str) -> str:
    return re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)


def test_page_says_what_the_records_say() -> None:
    text = _text(render(EVIDENCE, title="A title"))
    for fact in (
        "1.95×",
        "0.512 [0.508, 0.517]",
        "agreement 96.90 %",
        "SQNR 21.4 dB",
        "131.0 MiB",
        "not stated",
    ):
        assert fact in text
    assert "slower than the source: 1.14 times" in text


def test_names_from_files_are_escaped() -> None:
    assert "<script>alert" not in render(EVIDENCE, title="<script>alert(2)</script>")


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", _text(render(EVIDENCE, title="t")))


def test_few_samples_are_marked() -> None:
    run = measurement()
    assert run.latency_ms is not None
    few = run.model_copy(update={"latency_ms": run.latency_ms.model_copy(update={"samples": 20})})
    assert "fewer than 100 samples" in render(Evidence(manifests=(), measurements=(few,)), title="t")
    assert "fewer than 100 samples" not in render(EVIDENCE, title="t")


def test_candidates_without_timing_are_no_points() -> None:
    points, quality = candidate_points(manifest())
    assert {(point.label, point.state) for point in points} == {
        ("openvino int8 nncf", "kept"), ("onnxruntime fp16", "dropped"), ("source", "source"),
    }  # fmt: skip
    assert quality == "agreement with the source"


def test_accuracy_is_preferred_where_labels_exist() -> None:
    accuracy = {"metric": "top-1", "source": 0.94, "artifact": 0.935, "samples": 1000, "data": "eval"}
    points, quality = candidate_points(manifest(accuracy=accuracy))
    assert quality == "top-1"
    assert {point.label: point.quality for point in points} == {"openvino int8 nncf": 0.935, "source": 0.94}


def test_operators_of_one_name_keep_their_bars() -> None:
    run = measurement(operators=3)
    twins = run.model_copy(
        update={
            "operators": tuple(row.model_copy(update={"name": "same", "op": "Conv"}) for row in run.operators)
        }
    )
    assert len(set(time_by_operator(twins).data[0].y)) == 3


def test_an_empty_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to report"):
        write_report(Evidence(manifests=(), measurements=()), tmp_path / "r.html")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_report(EVIDENCE, tmp_path / "file" / "r.html")
