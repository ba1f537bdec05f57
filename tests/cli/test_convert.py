"""``edgekit convert --dry-run``: the plan as table and as JSON, and nothing built."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner, Result

from edgekit.cli.main import app
from tests.graphs import tiny_cnn


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    onnx.save(tiny_cnn(), tmp_path / "cnn.onnx")
    return tmp_path / "cnn.onnx"


def dry_run(model: Path, *words: str) -> Result:
    arguments = ["convert", str(model), "-o", str(model.parent / "out"), "--dry-run", *words]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_the_plan_has_every_target_and_candidate_and_builds_nothing(model: Path) -> None:
    facts = json.loads(dry_run(model, "-t", "raspberry-pi-4", "-t", "intel-n100", "--json").stdout)
    plan = {
        (item["target"], item["runtime"], item["precision"], item["variant"]): item for item in facts["plan"]
    }
    assert {target for target, *_ in plan} == {"raspberry-pi-4", "intel-n100"}
    assert plan["raspberry-pi-4", "onnxruntime", "fp32", ""]["reason"] is None
    assert plan["raspberry-pi-4", "onnxruntime", "fp32", ""]["converters"] == ["onnxruntime"]
    assert "--calib" in plan["raspberry-pi-4", "onnxruntime", "int8", ""]["reason"]
    assert [path.name for path in model.parent.iterdir()] == ["cnn.onnx"]


def test_the_table_tells_the_same(model: Path) -> None:
    result = dry_run(model, "-t", "raspberry-pi-4", "--precision", "fp32")
    assert "Plan for raspberry-pi-4" in result.stdout
    assert "to be built" in result.stdout
    assert "int8" not in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert "planning" in result.stderr  # reading a large model takes its time
