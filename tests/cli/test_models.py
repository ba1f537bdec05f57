"""``edgekit models``: the same facts as table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgekit.cli.main import app
from edgekit.errors import FetchError, ModelError
from edgekit.models.zoo.entries import entries


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["models", *words], env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_ls_lists_every_model_and_fetches_none(tmp_path: Path) -> None:
    table = run("ls")
    facts = json.loads(run("ls", "--json"))
    assert [model["id"] for model in facts["models"]] == list(entries())
    assert all(model["id"] in table for model in facts["models"])
    assert not any(model["fetched"] for model in facts["models"])
    assert max(len(line) for line in table.splitlines()) <= 80
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("model_id", sorted(entries()))
def test_show_tells_origin_licence_hash_and_contract(model_id: str) -> None:
    model, text, facts = (
        entries()[model_id],
        run("show", model_id),
        json.loads(run("show", model_id, "--json")),
    )
    assert facts["onnx_sha256"] == model.onnx_sha256
    assert model.onnx_sha256 in text
    assert facts["licences"][0]["spdx"] in text
    assert facts["contract"]["task"] == model.task
    assert "not fetched" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_show_says_plainly_that_nobody_vouches_for_yolo() -> None:
    assert "NOASSERTION" in run("show", "yolov3-tiny")
    assert "no licence file" in json.loads(run("show", "yolov3-tiny", "--json"))["licences"][0]["vouched_by"]


def test_unknown_models_are_named_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="did you mean 'minilm'"):
        run("get", "minilm", "minilmm")
    assert not (tmp_path / "cache").exists()


def test_get_without_a_way_to_the_packages_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(FetchError, match=r"pypi package rapidocr-onnxruntime==1\.4\.4 could not be fetched"):
        run("get", "ppocrv4-cls")
