"""``edgekit why`` on real bundles: what they carry, what is computed from the source, what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from typer.testing import CliRunner, Result

from edgekit.cli.main import app
from edgekit.conversion.convert import Order, convert
from tests.conversion.project import ELSEWHERE, only, write_target
from tests.conversion.stripes import write_classifier, write_images
from tests.graphs import tiny_cnn

LAYERS = ["conv0", "conv1", "conv2", "classes"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``model/``, and bundles for a board elsewhere: with a table of errors, and without one."""
    folder = tmp_path_factory.mktemp("why")
    write_images(folder / "model" / "photos", 16, seed=5, labelled=False)
    model = write_classifier(folder / "model", width=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKIT_CACHE", str(folder / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.chdir(folder)
        write_target(folder, "far", arch=ELSEWHERE)
        photos = model.parent / "photos"
        order = Order(
            model=model,
            targets=("far",),
            out=folder / "with",
            calibration=photos,
            precisions=("int8",),
            threads=1,
        )
        for wanted in (order, replace(order, out=folder / "without", effort="fast")):
            (kept,) = convert(wanted, catalog=only("onnxruntime")).bundles
            assert kept.manifest.artifact.precision == "int8"
    return folder


def ask(made: Path, *words: str) -> Result:
    environment = {"COLUMNS": "80", "EDGEKIT_CACHE": str(made / "cache")}
    return CliRunner().invoke(app, ["why", *words], env=environment)


def facts(made: Path, *words: str) -> dict[str, Any]:
    result = ask(made, *words, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_bundle_carries_the_errors_of_its_layers(made: Path) -> None:
    found = facts(made, str(made / "with" / "stripes-far.edgekit"), "-o", str(made / "why.html"))
    assert [row["node"] for row in found["layers"]] == LAYERS
    assert {row["precision"] for row in found["layers"]} == {"int8"}
    assert all(row["alone_sqnr_db"] > 5 for row in found["layers"])
    assert found["missing"] == [line for line in found["missing"] if "this machine is no far" in line]
    assert Path(found["page"]).stat().st_size > 1_000_000


def test_the_table_keeps_to_80_columns_and_begins_with_the_worst(made: Path) -> None:
    bundle = str(made / "with" / "stripes-far.edgekit")
    lines = ask(made, bundle).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = sorted(facts(made, bundle)["layers"], key=lambda row: row["alone_sqnr_db"])
    assert next(line for line in lines if "dB" in line).split()[0] == rows[0]["node"]


def test_what_is_missing_is_said_and_computed_from_the_source(made: Path) -> None:
    bundle, source = str(made / "without" / "stripes-far.edgekit"), str(made / "model" / "stripes.onnx")
    bare = facts(made, bundle)
    assert bare["layers"] == []
    assert any("--source MODEL" in line for line in bare["missing"])
    golden = facts(made, bundle, "--source", source)
    assert golden["sensitivity"]["samples"] == 1
    assert any("golden one alone" in line for line in golden["missing"])
    photos = str(made / "model" / "photos")
    found = facts(made, bundle, "--source", source, "--calib", photos)
    # of sixteen, the quarter that fitting would not take
    assert found["sensitivity"]["samples"] == 4
    carried = facts(made, str(made / "with" / "stripes-far.edgekit"))
    # other ranges (min and max only) and other samples, but the same layers: within 10 dB
    pairs = zip(found["layers"], carried["layers"], strict=True)
    assert all(abs(ours["alone_sqnr_db"] - theirs["alone_sqnr_db"]) < 10 for ours, theirs in pairs)


def test_another_model_is_refused(made: Path, tmp_path: Path) -> None:
    onnx.save(tiny_cnn(), tmp_path / "cnn.onnx")
    result = ask(made, str(made / "without" / "stripes-far.edgekit"), "--source", str(tmp_path / "cnn.onnx"))
    assert result.exit_code == 1
    assert "not the model that stripes-far.edgekit was made from" in str(result.exception)
