"""A search in the report: every sound trial in the plane, the front by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import EdgekitError
from edgekit.reports.page import render
from edgekit.reports.plots import candidates_plane, search_points
from edgekit.reports.sources import read_evidence
from edgekit.tuning.record import Final, Finalist, Limits, TuneRecord
from tests.tuning.trials import trial

TRIALS = (
    trial(1, ratio=0.5, accuracy=0.949, ranges="mse", rounding="fitted"),
    trial(2, ratio=0.4, accuracy=0.94, ranges="minmax", rounding="nearest"),
    *(trial(number, ratio=0.9, accuracy=0.93, threads=number) for number in range(3, 20)),
    trial(20, reason="crashed"),
)
RECORD = TuneRecord(
    schema=1, edgekit="1", model="net", target="host", machine="a machine", source_threads=2, data="eval",
    limits=Limits(), points=30, trials=TRIALS, front=(2, 1), chosen=2, reason="the fastest",
    final=Final(source_ms=(10,), finalists=(Finalist(trial=2, times_ms=(4,)), Finalist(trial=1, times_ms=(5,)))),
)  # fmt: skip


def test_sound_trials_are_points_and_those_of_the_front_are_named() -> None:
    points, quality = search_points(RECORD)
    assert quality == "top-1 accuracy"
    assert [point.state for point in points] == ["front", "kept", *["dropped"] * 17, "source"]
    assert points[-1].quality == 0.95
    names = {annotation.text for annotation in candidates_plane(points, quality).layout.annotations}
    assert names == {
        "onnxruntime int8 mse fitted, 1 thread",
        "onnxruntime int8 minmax nearest, 1 thread",
        "source",
    }


def test_the_file_is_known_by_its_content(tmp_path: Path) -> None:
    RECORD.write(tmp_path / "any.json")
    evidence = read_evidence([tmp_path / "any.json"])
    assert evidence.searches == (RECORD,)
    page = render(evidence, title="t")
    assert "net for host: what the search found" in page
    assert "20 trials of 30 points" in page
    assert "on a machine, 2 of them once more in one run." in page


def test_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "tune.json"
    path.write_text('{"schema": 1, "trials": [], "front": [], "machin": "x"}')
    with pytest.raises(EdgekitError, match=r"tune.json: machin: unknown key; did you mean 'machine'\?"):
        read_evidence([path])
