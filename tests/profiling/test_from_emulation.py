"""Which way a bundle is predicted: from emulation where that is set up and has constants, else from the graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.catalog import Catalog, load_catalog
from edgekit.errors import DeviceError
from edgekit.profiling import runnable
from edgekit.profiling.predicted import predicted
from edgekit.profiling.record import Estimate, Measurement
from edgekit.profiling.stored import compare_measurements
from edgekit.reports.page import render
from edgekit.reports.sources import Evidence
from tests.profiling.test_counted import emulated

TFLITE = Path(__file__).parents[1] / "converters" / "data" / "tiny_cnn.tflite"
BOARD = "predicted:raspberry-pi-4"


@pytest.fixture
def nothing_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def foretold(device: str, said: list[str], catalog: Catalog | None = None, threads: int = 1) -> Measurement:
    with runnable(str(TFLITE), {}) as ready:
        return predicted(ready, device, catalog or load_catalog(), threads=threads, told=said.append)


@pytest.mark.usefixtures("nothing_set_up")
def test_without_emulation_the_graph_predicts_and_one_line_says_so() -> None:
    said: list[str] = []
    found = foretold(BOARD, said)
    assert found.estimate is not None
    assert found.estimate.level == "graph"
    assert found.instructions is None
    assert "predicted from the graph for" in found.estimate.says
    (line,) = said
    assert "\n" not in line
    assert line.startswith("predicted from the graph; from emulation")
    assert "Try: " in line


@pytest.mark.usefixtures("nothing_set_up")
def test_emulation_that_is_insisted_on_is_an_error_without_it() -> None:
    with pytest.raises(DeviceError, match="Try: "):
        foretold(f"{BOARD}?from=emulation", [])


def test_the_graph_that_is_insisted_on_needs_nothing_and_says_nothing() -> None:
    said: list[str] = []
    found = foretold(f"{BOARD}?from=graph", said)
    assert found.estimate is not None
    assert (found.estimate.level, found.device, said) == ("graph", BOARD, [])


@pytest.mark.parametrize("spec", [f"{BOARD}?from=cache", f"{BOARD}?level=graph", f"{BOARD}?"])
def test_another_way_is_refused(spec: str) -> None:
    with pytest.raises(DeviceError, match="from=emulation or graph"):
        foretold(spec, [])


def test_a_profile_without_such_constants_is_predicted_from_the_graph_without_a_word() -> None:
    catalog = load_catalog()
    bare = catalog.profile("raspberry-pi-4").model_copy(update={"counted_speeds": ()})
    catalog = replace(catalog, profiles={**catalog.profiles, bare.id: bare})
    said: list[str] = []
    found = foretold(BOARD, said, catalog)
    assert found.estimate is not None
    assert (found.estimate.level, said) == ("graph", [])
    with pytest.raises(DeviceError, match="'raspberry-pi-4' has no constants for emulated counts"):
        foretold(f"{BOARD}?from=emulation", [], catalog)


def test_threads_that_nothing_is_known_of_are_predicted_from_the_graph() -> None:
    said: list[str] = []
    found = foretold(BOARD, said, threads=3)
    assert found.estimate is not None
    assert found.estimate.level == "graph"
    assert "no constants for emulated counts on 3 thread(s)" in said[0]


def test_an_x86_target_has_no_constants_either_way() -> None:
    with pytest.raises(DeviceError, match="profile 'intel-n100' has no speeds"):
        foretold("predicted:intel-n100", [])
    with pytest.raises(DeviceError, match="'intel-n100' has no constants for emulated counts"):
        foretold("predicted:intel-n100?from=emulation", [])


def from_emulation(latency_ms: float) -> Measurement:
    """A record as a prediction from emulation leaves it."""
    estimate = Estimate(
        level="emulation", profile="raspberry-pi-4", runtime="ncnn", runtime_version="1", emulated="litert 2",
        threads=1, latency_ms=latency_ms, low_ms=latency_ms / 1.25, high_ms=latency_ms * 1.25, error_median_pct=4.0,
        error_p90_pct=8.0, outside=(), ram_bytes=50_000_000,
    )  # fmt: skip
    return emulated().model_copy(update={"kind": "predicted", "device": BOARD, "estimate": estimate})


def test_two_predictions_compare_each_figure_once() -> None:
    found = compare_measurements(from_emulation(10.0), from_emulation(5.0))
    names = [metric.name for metric in found.metrics]
    assert sorted(names) == ["instructions", "memory", "p50"]
    p50 = next(metric for metric in found.metrics if metric.name == "p50")
    assert (p50.ratio, p50.basis) == (0.5, "litert 2 by constants of ncnn 1 on raspberry-pi-4, 1 thread(s)")


def test_the_way_is_named_where_people_read_it() -> None:
    item = from_emulation(10.0)
    assert item.estimate is not None
    assert item.estimate.says.startswith("predicted from emulation for litert 2 by constants of ncnn 1")
    assert "error for unseen families of ncnn: median 4 %" in item.estimate.says
    page = render(Evidence(manifests=(), measurements=(item,)), title="t")
    assert "by constants of ncnn 1 on raspberry-pi-4, 1 thread(s), from emulation" in page
