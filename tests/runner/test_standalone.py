"""The runner goes to boards: it must run alone, on an old Python, with one runtime."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgekit.runner
from tests.runner.bundles import onnx_bundle

RUNNER = Path(edgekit.runner.__file__).parent
FILES = sorted(RUNNER.glob("*.py"))
RUNTIMES = {"onnxruntime", "openvino", "ai_edge_litert", "tflite_runtime"}
OLDEST = (3, 9)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports_only_what_boards_have(path: Path) -> None:
    allowed = set(sys.stdlib_module_names) | {"numpy"} | RUNTIMES
    assert set(_imported(ast.parse(path.read_text()))) <= allowed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_is_written_in_the_oldest_python(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=OLDEST)
    # `X | None` is only text where annotations are not evaluated
    if path.name != "__init__.py":
        assert "from __future__ import annotations" in path.read_text()
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]


def test_compiles_with_the_oldest_python(tmp_path: Path) -> None:
    python = installed_python(OLDEST)
    if python is None:
        pytest.skip("no Python 3.9 on this machine")
    room = _copied_alone(tmp_path)
    done = subprocess.run([python, "-m", "compileall", "-q", room / "runner"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_checks_a_bundle_when_copied_alone(tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "bundle")
    done = _run(_copied_alone(tmp_path), "check", str(bundle))
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["reproduced"] is True
    assert facts["context"]["runtime"] == "onnxruntime"


def test_measures_by_hand(tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "bundle")
    done = _run(_copied_alone(tmp_path), "run", str(bundle), "--runs", "7", "--warmup", "2")
    facts = json.loads(done.stdout)
    assert len(facts["samples_ms"]) == facts["latency_ms"]["samples"] == 7
    assert 0 < facts["latency_ms"]["p50"] <= facts["latency_ms"]["p99"]


def test_says_in_a_line_what_was_changed(tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "bundle")
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"\0")
    done = _run(_copied_alone(tmp_path), "check", str(bundle))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "changed since the bundle was written: model.onnx" in done.stderr


def test_fails_where_the_golden_pair_does_not_reproduce(tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "bundle")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["artifact"]["io"]["inputs"][0]["transpose"] = [0, 1, 3, 2]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    done = _run(_copied_alone(tmp_path), "check", str(bundle))
    assert done.returncode == 1
    assert json.loads(done.stdout)["reproduced"] is False


def test_refuses_a_manifest_that_points_outside(tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "bundle")
    (bundle / "model.onnx").rename(tmp_path / "model.onnx")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["artifact"]["path"] = "../model.onnx"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    done = _run(_copied_alone(tmp_path), "check", str(bundle))
    assert done.returncode == 1
    assert "outside the bundle" in done.stderr


def _copied_alone(tmp_path: Path) -> Path:
    room = tmp_path / "room"
    shutil.copytree(RUNNER, room / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    return room


def _run(room: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # the interpreter of the tests has edgekit installed, so an import of it would succeed: the check above is by AST
    return subprocess.run(
        [sys.executable, "-m", "runner", *arguments], cwd=room, capture_output=True, text=True, timeout=60
    )


def installed_python(version: tuple[int, int]) -> str | None:
    """Where this machine has that Python."""
    name = f"python{version[0]}.{version[1]}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    # pyenv's shims answer for versions that are not active
    found = sorted(pyenv.glob(f"{version[0]}.{version[1]}.*/bin/python"))
    return str(found[-1]) if found else shutil.which(name)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
