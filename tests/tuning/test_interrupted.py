"""A search that is killed or interrupted goes on where it was: nothing that was finished is done again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgekit.bundles import read_bundle
from edgekit.bundles.verify import verify_bundle
from edgekit.devices import LocalDevice
from tests.conversion.project import write_target
from tests.conversion.stripes import write_classifier, write_images

EDGEKIT = Path(sys.executable).with_name("edgekit")
PATIENCE_S = 240
TRIALS = 4


def start(model: Path, folder: Path) -> subprocess.Popen[str]:
    words = [
        "tune",
        str(model),
        "-t",
        "board",
        "--trials",
        str(TRIALS),
        "--effort",
        "fast",
        "-o",
        "out",
        "--json",
    ]
    return subprocess.Popen(
        [str(EDGEKIT), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    )


def journal(folder: Path) -> bytes:
    found = list(folder.glob("out/.tune/*/journal.log"))
    return found[0].read_bytes() if found else b""


def trials(text: bytes) -> int:
    return text.count(b'"record"')


def wait_for_trials(run: subprocess.Popen[str], count: int) -> None:
    """Read what the run says until it begins the trial after ``count``, which it does once that one is kept."""
    assert run.stderr
    guard = threading.Timer(PATIENCE_S, run.kill)
    guard.start()
    try:
        while (said := run.stderr.readline()) and f" trial {count + 1} of " not in said:
            pass
    finally:
        guard.cancel()
    assert said, "it ended, or was ended, before"


@pytest.fixture
def model(project: Path, tmp_path: Path) -> Path:
    write_images(tmp_path / "model" / "calib", 8, seed=5, labelled=False)
    write_target(project, "board")
    return write_classifier(tmp_path / "model", width=8)


@pytest.mark.slow
def test_killed_and_run_again(project: Path, tmp_path: Path, model: Path) -> None:
    run = start(model, project)
    wait_for_trials(run, 2)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    before = journal(project)
    assert 2 <= trials(before) < TRIALS
    steps = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("step.json")}
    answers = {path: path.stat().st_mtime_ns for path in (project / "out").rglob("verdict.json")}
    assert steps
    assert answers

    again = start(model, project)
    told, said = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, said
    facts = json.loads(told)
    assert facts["reused_trials"] == trials(before)
    assert facts["measured_trials"] == TRIALS - trials(before)
    assert journal(project).startswith(before), "finished trials were touched"
    points = [(t["candidate"], t["ranges"], t["rounding"], t["threads"]) for t in facts["trials"]]
    assert len(points) == len(set(points)) == TRIALS
    assert {path: path.stat().st_mtime_ns for path in steps} == steps, "finished builds were made again"
    assert {path: path.stat().st_mtime_ns for path in answers} == answers, "artifacts were asked again"
    assert verify_bundle(read_bundle(project / "out" / "stripes-board.edgekit"), LocalDevice()).ok

    idle = start(model, project)
    facts = json.loads(idle.communicate(timeout=PATIENCE_S)[0])
    assert (facts["measured_trials"], facts["made_steps"], facts["held_final"]) == (0, 0, False)


@pytest.mark.slow
def test_interrupted_by_the_user(project: Path, model: Path) -> None:
    run = start(model, project)
    wait_for_trials(run, 1)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    assert said.splitlines()[-1] == (
        "edgekit: interrupted; finished trials are kept, the same command goes on from there"
    )
    assert trials(journal(project)) >= 1
    assert [path.name for path in (project / "out").iterdir()] == [".tune"]
