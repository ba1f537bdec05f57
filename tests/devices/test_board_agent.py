"""The agent alone: it must run on an old Python without anything, and leave nothing however its input ends."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgekit.devices import board_agent
from tests.runner.test_standalone import OLDEST, installed_python

SOURCE = Path(board_agent.__file__)


class Agent:
    """A running one, spoken to as over ssh."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.facts = self.line()

    def ask(self, op: str, **arguments: object) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self.process.stdin.flush()
        return self.line()

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        said: dict[str, Any] = json.loads(self.process.stdout.readline().removeprefix(board_agent.MARK))
        return said


@contextmanager
def agent(cache: Path, python: str = sys.executable) -> Iterator[Agent]:
    with subprocess.Popen(
        [python, "-u", "-c", SOURCE.read_text(), "test-1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"XDG_CACHE_HOME": str(cache), "PATH": os.defpath},
    ) as process:  # fmt: skip
        yield Agent(process)


def test_cores_are_those_that_the_board_gives_it(tmp_path: Path) -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(allowed)])
    try:
        with agent(tmp_path) as board:
            assert board.facts["cores"] == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_it_needs_the_standard_library_of_the_oldest_python_alone() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=OLDEST)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_it_runs_on_the_oldest_python(tmp_path: Path) -> None:
    python = installed_python(OLDEST)
    if python is None:
        pytest.skip("no Python 3.9 on this machine")
    with agent(tmp_path, str(python)) as board:
        assert board.facts["python"].startswith("3.9.")
        assert board.ask("memory")["ram_bytes"] == psutil.virtual_memory().total
        assert board.ask("room")["free_bytes"] > 0
        assert Path(board.facts["work"]).is_dir()
    assert board.process.returncode == 0
    assert list((tmp_path / "edgekit").iterdir()) == []


def test_at_the_end_of_its_input_it_kills_what_was_started_there(tmp_path: Path) -> None:
    with agent(tmp_path) as board:
        runner = subprocess.Popen(["sleep", "600"])
        folder = Path(board.facts["work"]) / "run-1/running"
        folder.mkdir(parents=True)
        (folder / board_agent.RUNNER_PID).write_text(str(runner.pid))
    assert runner.wait(10) == -9
    assert list((tmp_path / "edgekit").iterdir()) == []


def test_a_folder_that_is_held_is_left_alone(tmp_path: Path) -> None:
    with agent(tmp_path) as first:
        with agent(tmp_path) as second:
            assert second.facts["leftovers"] == {"removed": [], "held": [Path(first.facts["work"]).name]}
        assert Path(first.facts["work"]).is_dir()


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "edgekit").write_text("a file where the folder should be")
    with agent(tmp_path) as board:
        assert board.facts == {"error": f"File exists: {tmp_path / 'edgekit'}", "errno": 17}


def test_the_kernels_words_are_those_that_name_what_it_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    log = [
        "python3 invoked oom-killer: gfp_mask=0x140cca",
        "Out of memory: Killed process 121 (python3) total-vm:288488kB",
        "oom_reaper: reaped process 121 (python3)",
    ]
    monkeypatch.setattr(board_agent, "kernel_log", lambda since_us: log)
    assert board_agent.oom_words(0) == log[1]
    monkeypatch.setattr(board_agent, "kernel_log", lambda since_us: [])
    assert board_agent.oom_words(0) is None
