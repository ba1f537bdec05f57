"""A bundle is what its manifest says, or verify names what is not."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edgekit.bundles import read_bundle
from edgekit.bundles.golden import largest_error, read_tensors, write_tensors
from edgekit.bundles.read import MANIFEST, MANIFEST_DIGEST
from edgekit.bundles.verify import verify_bundle
from edgekit.bundles.write import finish
from edgekit.cli.main import app
from edgekit.conversion.against import compare_with_source
from edgekit.devices import LocalDevice
from edgekit.errors import GateFailedError
from tests.conversion.stripes import write_classifier


def failed(path: Path) -> dict[str, str]:
    found = verify_bundle(read_bundle(path), LocalDevice())
    return {check.name: check.detail for check in found.checks if not check.ok}


def sealed_again(path: Path) -> None:
    """Write the manifest anew, as somebody would who wants to hide a change."""
    finish(path, read_bundle(path).manifest)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_untouched_bundle_passes_every_check(bundle: Path) -> None:
    found = verify_bundle(read_bundle(bundle), LocalDevice())
    assert found.ok
    assert [check.name for check in found.checks] == [
        "manifest", "files", "steps", "golden", "contract", "encoding", "prediction", "artifact", "answer",
    ]  # fmt: skip


def test_changed_missing_and_added_files_are_named_and_nothing_is_run(bundle: Path) -> None:
    artifact = bundle / read_bundle(bundle).manifest.artifact.path
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"?")
    (bundle / "README.txt").unlink()
    (bundle / "artifact" / "more.so").write_text("added")
    found = failed(bundle)
    assert "changed: artifact/model.onnx" in found["files"]
    assert "missing: README.txt" in found["files"]
    assert "not in the manifest: artifact/more.so" in found["files"]
    assert found["artifact"] == "not run: files changed since the bundle was written"
    assert "the artifact is not what the last step made" in found["steps"]


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("127.5, 127.5, 127.5]\nstd", "126.5, 127.5, 127.5]\nstd", "another 'mean' or 'std'"),
        ('color = "rgb"', 'color = "bgr"', "color = 'rgb' gives the stored one"),
    ],
    ids=["mean", "colour order"],
)
def test_a_wrong_contract_is_caught_even_with_hashes_that_fit(
    bundle: Path, old: str, new: str, cause: str
) -> None:
    edit(bundle / "contract.toml", old, new)
    sealed_again(bundle)
    found = failed(bundle)
    assert "files" not in found
    assert cause in found["encoding"]


def test_labels_in_another_order_are_caught(bundle: Path) -> None:
    (bundle / "labels.txt").write_text("rising\nfalling\ndown\nacross\n")
    sealed_again(bundle)
    # the first difference, not two long lists that begin alike
    assert re.search(
        r"the answer(\.\w+|\[\d+\])+ reads \"\w+\", stored is \"\w+\"$", failed(bundle)["prediction"]
    )


def test_a_contract_that_does_not_fit_is_caught(bundle: Path) -> None:
    edit(bundle / "contract.toml", 'name = "x"', 'name = "image"')
    sealed_again(bundle)
    assert "image" in failed(bundle)["contract"]


def test_an_artifact_that_answers_something_else_is_caught(bundle: Path) -> None:
    """The golden output is moved by a tenth; the artifact is as it was."""
    tensors = read_tensors(bundle / "golden.npz")
    moved = {name: array + np.float32(0.1) * np.abs(array).max() for name, array in tensors.outputs.items()}
    write_tensors(replace(tensors, outputs=moved), bundle / "golden.npz")
    sealed_again(bundle)
    assert "does not answer the golden input as it did" in failed(bundle)["artifact"]


def test_an_artifact_that_does_not_load_is_one_line(bundle: Path) -> None:
    (bundle / read_bundle(bundle).manifest.artifact.path).write_bytes(b"no model")
    sealed_again(bundle)
    found = failed(bundle)
    assert "\n" not in found["artifact"]
    assert "files" not in found


@pytest.mark.parametrize("name", ["golden.npz", "golden-sample.png"])
def test_a_damaged_golden_pair_is_named(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"damaged")
    sealed_again(bundle)
    assert any(name in detail for detail in failed(bundle).values())


@pytest.mark.parametrize(
    ("old", "new"),
    [('"precision": "fp32"', '"precision": "fp16"'), ("\n", "\r\n"), ('"timing": null', '"timing":  null')],
    ids=["another figure", "line ends", "a space"],
)
def test_an_edited_manifest_is_found_and_nothing_is_run(bundle: Path, old: str, new: str) -> None:
    content = (bundle / MANIFEST).read_bytes()
    (bundle / MANIFEST).write_bytes(content.replace(old.encode(), new.encode(), 1))
    assert (bundle / MANIFEST).read_bytes() != content
    found = failed(bundle)
    assert found["manifest"].startswith("manifest.json was changed since")
    assert found["artifact"].startswith("not run")
    sealed_again(bundle)
    assert "manifest" not in failed(bundle)


def test_the_digest_is_what_sha256sum_reads(bundle: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", MANIFEST_DIGEST], cwd=bundle, capture_output=True, check=False)
    assert done.returncode == 0
    (bundle / MANIFEST_DIGEST).unlink()
    assert "manifest.sha256 is missing" in failed(bundle)["manifest"]


def test_broken_steps_are_found(bundle: Path) -> None:
    facts = json.loads((bundle / MANIFEST).read_text())
    facts["steps"][1]["parent_sha256"] = "0" * 64
    (bundle / MANIFEST).write_text(json.dumps(facts))
    assert "did not begin with what the one before it made" in failed(bundle)["steps"]


def source_check(bundle: Path, model: Path, samples: Path | None) -> tuple[bool, str]:
    check = compare_with_source(read_bundle(bundle), model, samples, LocalDevice(), threads=1)
    return check.ok, check.detail


def test_the_source_is_compared_again(bundle: Path, made: Path) -> None:
    ok, detail = source_check(bundle, made / "model" / "stripes.onnx", made / "labelled")
    assert ok
    assert "12 labelled samples" in detail
    ok, detail = source_check(bundle, made / "model" / "stripes.onnx", None)
    assert ok
    assert "golden sample" in detail


def test_another_source_is_not_mistaken_for_it(bundle: Path, tmp_path: Path) -> None:
    ok, detail = source_check(bundle, write_classifier(tmp_path / "other", width=4), None)
    assert not ok
    assert "is not the model this bundle was made from" in detail


def test_the_command_says_ok_or_fails_with_the_checks_that_did(bundle: Path) -> None:
    good = CliRunner().invoke(app, ["verify", str(bundle), "--json"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)["ok"] is True
    (bundle / "README.txt").write_text("other")
    bad = CliRunner().invoke(app, ["verify", str(bundle), "--json"])
    assert isinstance(bad.exception, GateFailedError)
    assert "failed: files, artifact" in str(bad.exception)
    assert json.loads(bad.stdout)["ok"] is False


def test_relative_errors_count_what_is_missing_or_not_finite_as_infinite() -> None:
    expected = {"y": np.array([1.0, -2.0, np.inf])}
    assert largest_error({"y": np.array([1.0, -1.9, np.inf])}, expected) == pytest.approx(0.05)
    for found in ({}, {"y": np.array([1.0, -2.0])}, {"y": np.array([np.nan, -2.0, np.inf])}):
        assert largest_error(found, expected) == float("inf")
