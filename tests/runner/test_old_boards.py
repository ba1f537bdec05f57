"""The runner copied to an environment of an old board: tflite-runtime, numpy 1, an older Python, no edgekit."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import uv

from tests.runner.bundles import litert_bundle
from tests.runner.test_standalone import RUNNER, installed_python

pytestmark = [pytest.mark.network, pytest.mark.slow]
TFLITE = "tflite-runtime==2.14.0"


def board(folder: Path, version: tuple[int, int], *packages: str) -> Path:
    """An interpreter with these packages alone; the test is skipped where that Python or a package cannot be had."""
    named = installed_python(version) or f"{version[0]}.{version[1]}"
    for command in (
        ["venv", "--quiet", "--python", named, str(folder)],
        ["pip", "install", "--quiet", "--python", str(folder / "bin/python"), *packages],
    ):
        done = subprocess.run(
            [uv.find_uv_bin(), *command], capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            pytest.skip(f"no board of Python {version}: uv {command[0]}: {done.stderr.strip()[-300:]}")
    return folder / "bin/python"


def talk(python: Path, bundle: Path, *requests: dict[str, object]) -> list[dict[str, object]]:
    """The runner's replies, the readiness line first."""
    room = python.parents[1] / "room"
    shutil.copytree(RUNNER, room / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [python, "-m", "runner", "serve", str(bundle)],
        cwd=room,
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("version", [(3, 9), (3, 11)], ids=["3.9", "3.11"])
@pytest.mark.parametrize("int8", [False, True], ids=["float", "int8"])
def test_runs_a_bundle_with_tflite_runtime(version: tuple[int, int], int8: bool, tmp_path: Path) -> None:
    python = board(tmp_path / "board", version, TFLITE, "numpy<2")
    bundle = litert_bundle(tmp_path / "bundle", int8=int8)
    ready, loaded, ran, golden, operators = talk(
        python,
        bundle,
        {"op": "load"},
        {"op": "run", "runs": 3},
        {"op": "golden"},
        {"op": "operators", "runs": 3},
    )
    context = ready["context"]
    assert isinstance(context, dict)
    assert (context["runtime"], context["runtime_version"]) == ("tflite-runtime", "2.14.0")
    assert context["python"].startswith(f"{version[0]}.{version[1]}.")
    assert loaded["ok"], loaded
    assert ran["ok"], ran
    assert golden["reproduced"], golden
    assert operators["ok"], operators
    listed = operators["operators"]
    assert isinstance(listed, list)
    assert {"dense0", "dense1"} <= {operator["name"] for operator in listed}


def test_says_that_numpy_is_too_new(tmp_path: Path) -> None:
    python = board(tmp_path / "board", (3, 11), TFLITE, "numpy>=2")
    replies = talk(python, litert_bundle(tmp_path / "bundle"), {"op": "load"})
    assert "needs numpy<2" in str(replies[-1]["error"]), replies
