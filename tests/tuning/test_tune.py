"""The whole search with real tools on a small classifier: figures, limits, hand-out, no work done twice."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edgekit.bundles import read_bundle
from edgekit.bundles.verify import verify_bundle
from edgekit.catalog import Catalog
from edgekit.cli.main import app
from edgekit.conversion.order import Order
from edgekit.devices import LocalDevice, RunnerSession
from edgekit.errors import ConversionError, DeviceError, EdgekitError
from edgekit.profiling.interleave import interleave
from edgekit.tuning import bench, final
from edgekit.tuning.record import Trial, TuneRecord
from edgekit.tuning.tune import TuneOrder, Tuning, tune
from edgekit.vocabulary import Precision
from tests.conversion.bad_workers import CRASHES, GOOD, SLOW, WRONG
from tests.conversion.project import ELSEWHERE, FP32, INT8, only, write_converter, write_target
from tests.conversion.stripes import write_sampled_classifier

POINTS = 9
"""fp32, and int8 by four ranges and two ways to round, on one thread."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stripes")
    return write_sampled_classifier(folder, calibration="calib", evaluation="eval", width=8)


@pytest.fixture
def order(project: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> TuneOrder:
    for module in (bench, final):
        monkeypatch.setattr(module, "FINAL_ROUNDS", 3)
    write_target(project, "board")
    return TuneOrder(order=Order(model=model, targets=("board",), out=project / "out"), trials=100)


def read(found: Tuning) -> TuneRecord:
    return TuneRecord.model_validate_json(found.place.read_bytes())


@pytest.mark.slow
def test_every_point_is_tried_once_and_the_best_handed_out(order: TuneOrder) -> None:
    catalog = only("onnxruntime")
    found = tune(order, catalog=catalog)
    record = read(found)
    assert record == found.record
    assert (record.points, len(record.trials), found.measured) == (POINTS, POINTS, POINTS)
    assert len({trial.point for trial in record.trials}) == POINTS
    numbered = {trial.number: trial for trial in record.trials}
    sound = [trial for trial in record.trials if trial.sound]
    assert len(sound) > POINTS // 2, "ranges by entropy may be too narrow for so small a net"
    for trial in sound:
        assert trial.timing is not None
        assert trial.accuracy is not None
        assert trial.accuracy.samples == 40
        assert (trial.peak_bytes or 0) > 20e6, "an interpreter with numpy and a runtime takes as much"
        twin = numbered[trial.same_as] if trial.same_as else None
        assert twin is None or twin.artifact_sha256 == trial.artifact_sha256
    assert len({trial.artifact_sha256 for trial in record.trials}) > 3, (
        "ranges and rounding make a difference"
    )
    assert found.bundle is not None
    assert found.pick.chosen is not None
    manifest = read_bundle(found.bundle.path).manifest
    assert manifest.timing == found.pick.chosen.timing
    assert any("kept of 9 trials" in note and "timed with threads = 1" in note for note in manifest.notes)
    assert manifest.steps[-1].child_sha256 == found.pick.chosen.artifact_sha256
    assert verify_bundle(read_bundle(found.bundle.path), LocalDevice()).ok

    # other limits, another seed: nothing is built or measured again
    again = tune(replace(order, order=replace(order.order, max_drop=0.5), seed=9), catalog=catalog)
    assert (again.measured, again.made_steps) == (0, 0)
    assert [own_times(trial) for trial in read(again).trials] == [own_times(trial) for trial in record.trials]


def own_times(trial: Trial) -> Trial:
    """The trial without what a final says of it."""
    return trial.model_copy(update={"timing": trial.search_timing or trial.timing, "search_timing": None})


@pytest.fixture
def rivals(order: TuneOrder, project: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """Two converters, of which one is far slower, that meet in the final all the same."""
    for name, code in {"good": GOOD, "slow": SLOW}.items():
        write_converter(project, name, FP32, worker=code)
    monkeypatch.setattr("edgekit.tuning.front._beats", lambda other, trial: False)
    monkeypatch.setattr("edgekit.tuning.tune.finalists", tuple)
    return only("good", "slow")


def test_the_final_is_held_once_and_decides(order: TuneOrder, rivals: Catalog) -> None:
    found = tune(order, catalog=rivals)
    assert found.held_final
    held = found.record.final
    assert held is not None
    assert [len(times) for times in (held.source_ms, *held.times_ms.values())] == [3, 3, 3]
    for trial in found.record.trials:
        assert trial.timing is not None
        assert trial.search_timing is not None
        assert trial.timing.p50_ms == pytest.approx(sorted(held.times_ms[trial.number])[1], abs=1e-4)
    assert found.bundle is not None
    assert found.bundle.manifest.converter == "good"
    assert found.pick.chosen is not None
    assert found.bundle.manifest.timing == found.pick.chosen.timing
    assert "timed in one run with 1 more of the front" in found.bundle.reason
    again = tune(order, catalog=rivals)
    assert (again.measured, again.held_final) == (0, False)
    assert again.record == found.record == read(again)


def test_a_finalist_that_fails_is_not_handed_out(
    order: TuneOrder, rivals: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> RunnerSession:
        raise DeviceError("no room")

    # the source model was started before
    monkeypatch.setattr(final, "started", fails)
    found = tune(order, catalog=rivals)
    assert found.bundle is None
    assert found.pick.reason == "in the final its artifact does not run as it should: no room"
    assert not tune(order, catalog=rivals).held_final, "nor is it tried again"


def test_fp32_alone_and_then_what_else_there_is(order: TuneOrder, project: Path) -> None:
    """Each search measures what is new to it, in one folder; fp32 stands by where int8 is asked for."""
    write_converter(project, "good", FP32, INT8, worker=GOOD)
    catalog = only("good")
    floats, integers = (asking(order, precision) for precision in ("fp32", "int8"))
    first = tune(floats, catalog=catalog)
    assert {trial.precision for trial in first.record.trials} == {"fp32"}
    assert dict(first.given_up)["good int8"] == "int8 was not asked for (--precision)"
    second = tune(integers, catalog=catalog)
    assert second.folder == first.folder
    assert second.measured == second.record.points - 1
    assert second.pick.chosen is not None
    assert second.pick.chosen.precision == "int8"
    again = tune(floats, catalog=catalog)
    assert (again.measured, again.record.trials) == (0, first.record.trials)


def asking(order: TuneOrder, precision: Precision) -> TuneOrder:
    return replace(order, order=replace(order.order, precisions=(precision,)))


@pytest.mark.slow
def test_more_trials_go_on_where_fewer_ended(order: TuneOrder) -> None:
    catalog = only("onnxruntime")
    first = tune(replace(order, trials=2), catalog=catalog)
    more = tune(replace(order, trials=4), catalog=catalog)
    assert (first.measured, more.measured) == (2, 2)
    assert more.record.trials[:2] == first.record.trials
    assert len({trial.point for trial in more.record.trials}) == 4


def test_what_crashes_or_answers_wrongly_is_a_trial_with_a_reason(order: TuneOrder, project: Path) -> None:
    for name, code in {"good": GOOD, "wrong": WRONG, "crashes": CRASHES}.items():
        write_converter(project, name, FP32, worker=code)
    found = tune(order, catalog=only("good", "wrong", "crashes"))
    trials = {trial.converter: trial for trial in found.record.trials}
    assert trials["good"].sound
    assert "crashed (SIGSEGV)" in (trials["crashes"].reason or "")
    assert "cosine" in (trials["wrong"].reason or "")
    assert trials["wrong"].fidelity is not None
    assert found.bundle is not None
    assert found.bundle.manifest.converter == "good"
    assert tune(order, catalog=only("good", "wrong", "crashes")).measured == 0


def test_a_source_model_that_dies_is_no_fault_of_the_artifact(
    order: TuneOrder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_converter(project, "good", FP32, worker=GOOD)

    def killing(sessions: dict[str, RunnerSession], *, rounds: int) -> dict[str, list[float]]:
        pid = sessions["source"].process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return interleave(sessions, rounds=rounds)

    with monkeypatch.context() as patch:
        patch.setattr(bench, "interleave", killing)
        with pytest.raises(DeviceError, match="source"):
            tune(order, catalog=only("good"))
    found = tune(order, catalog=only("good"))
    assert found.measured == 1, "nothing was written down"
    assert found.record.trials[0].sound


def test_a_changed_tool_is_measured_again(order: TuneOrder, project: Path) -> None:
    write_converter(project, "good", FP32, worker=GOOD)
    tune(order, catalog=only("good"))
    write_converter(project, "good", FP32, worker=GOOD + "\n# of another version\n")
    # code is hashed once a process
    from edgekit.conversion.keys import code_sha256

    code_sha256.cache_clear()
    assert tune(order, catalog=only("good")).measured == 1


def test_the_very_same_artifact_is_measured_once(order: TuneOrder, project: Path) -> None:
    write_converter(project, "good", FP32, FP32 + 'name = "twin"\n', worker=GOOD)
    found = tune(order, catalog=only("good"))
    first, second = found.record.trials
    assert second.same_as == first.number
    assert second.timing == first.timing


def test_a_board_that_is_not_here(order: TuneOrder, project: Path) -> None:
    write_target(project, "far", arch=ELSEWHERE)
    with pytest.raises(ConversionError, match="this machine is no far"):
        tune(replace(order, order=replace(order.order, targets=("far",))))


def test_without_optuna_the_line_that_installs_it(order: TuneOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EdgekitError, match=r"pip install 'edgekit-toolchain\[tune\]'"):
        tune(order)


# --- the command -----------------------------------------------------------------------------------------


def command(order: TuneOrder, *words: str) -> Result:
    arguments = ["tune", str(order.order.model), "-t", "board", "-o", str(order.order.out), *words]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})


@pytest.fixture
def good(order: TuneOrder, project: Path, monkeypatch: pytest.MonkeyPatch) -> TuneOrder:
    """A project with one converter, which is quick."""
    write_converter(project, "good", FP32, worker=GOOD)
    monkeypatch.setattr("edgekit.cli.tune.usable_catalog", lambda: only("good"))
    return order


def test_the_command_as_json_and_as_a_table(good: TuneOrder) -> None:
    result = command(good, "--json")
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    (trial,) = facts["trials"]
    assert facts["chosen"] == trial["number"] == 1
    assert facts["front"] == [1]
    assert facts["bundle"]["path"] == str(good.order.out / "stripes-board.edgekit")
    assert trial["latency_ms"]["p50"] > 0
    assert trial["memory_bytes"]["peak"] > 0
    assert (facts["measured_trials"], facts["reused_trials"]) == (1, 0)
    table = command(good)
    assert table.exit_code == 0
    assert max(len(line) for line in table.stdout.splitlines() if "good" in line) <= 80
    assert any(line.split()[:3] == [">", "good", "fp32"] for line in table.stdout.splitlines())
    assert "0 trials made, 1 kept from earlier runs" in table.stderr


def test_limits_that_nothing_keeps_to(good: TuneOrder) -> None:
    result = command(good, "--memory", "<1MB", "--latency", "<0.0001ms", "--precision", "fp32", "--json")
    assert result.exit_code == 1
    facts = json.loads(result.stdout)
    assert (facts["chosen"], facts["nearest"], facts["bundle"]) == (None, 1, None)
    assert facts["limits"] == {
        "latency_ms": 0.0001,
        "memory_bytes": 1_000_000,
        "max_drop": None,
        "precisions": ["fp32"],
    }
    assert "the nearest, good fp32, 1 thread, takes" in str(result.exception)
    assert "more than 1 MB" in str(result.exception)
    assert not (good.order.out / "stripes-board.edgekit").exists()
    assert len(read_json(good.order.out / "tune.json")["trials"]) == 1


def read_json(path: Path) -> dict[str, list[object]]:
    facts: dict[str, list[object]] = json.loads(path.read_bytes())
    return facts


@pytest.mark.parametrize(
    "words",
    [
        ("--memory", "200"),
        ("--memory", "-3MB"),
        ("--memory", "nanMB"),
        ("--memory", "infGB"),
        ("--latency", "soon"),
        ("--latency", "nan"),
        ("--precision", "int7"),
        ("--seed", "-1"),
        ("--seed", str(2**32)),
    ],
    ids=" ".join,
)
def test_limits_that_cannot_be_read(good: TuneOrder, words: tuple[str, str]) -> None:
    assert command(good, *words).exit_code == 2
