"""``--data-free``: int8 from synthetic inputs, which nobody can take for calibrated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edgekit.bundles import read_bundle
from edgekit.cli.main import app
from edgekit.contracts import load_contract
from edgekit.conversion.convert import Order, convert
from edgekit.conversion.samples import CONTRASTS, RANDOM, open_evaluation, pink_image, synthetic_samples
from edgekit.data import encode_sample
from edgekit.errors import DataError
from tests.conversion.project import ELSEWHERE, write_target
from tests.conversion.stripes import write_classifier, write_images


@pytest.fixture
def order(project: Path) -> Order:
    """For a board elsewhere, which needs no timing; the smallest artifact is kept."""
    write_target(project, "far", arch=ELSEWHERE)
    folder = project / "model"
    folder.mkdir()
    return Order(
        model=write_classifier(folder, width=16),
        targets=("far",),
        out=project / "out",
        threads=1,
        data_free=True,
    )


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"}, catch_exceptions=False)


def test_the_bundle_says_that_it_is_uncalibrated(order: Order) -> None:
    found = convert(order)
    manifest = found.bundles[0].manifest
    assert manifest.artifact.precision == "int8"
    assert manifest.calibration is not None
    assert manifest.calibration.source == "synthetic"
    assert manifest.calibration.synthetic
    assert manifest.calibration.samples == 100
    assert any(
        note.startswith("uncalibrated: ranges come from 100 synthetic inputs") for note in manifest.notes
    )
    assert "Uncalibrated: ranges come from" in (found.bundles[0].path / "README.txt").read_text()
    assert "marked as uncalibrated" in found.notes[0]
    (engine,) = (step for step in manifest.steps if step.tool == "edgekit.quantization")
    assert engine.arguments["equalized"] is False
    # near the source even on real images, which no calibration saw: 35 dB with them
    assert manifest.fidelity is not None
    assert manifest.fidelity.sqnr_db > 20


def test_fp32_is_not_marked(order: Order) -> None:
    manifest = convert(replace(order, precisions=("fp32",))).bundles[0].manifest
    assert manifest.calibration is None
    assert not any("uncalibrated" in note for note in manifest.notes)


def test_data_beside_the_model_are_left_aside(order: Order) -> None:
    write_images(order.model.parent / "calib", 12, seed=5, labelled=False)
    write_images(order.model.parent / "eval", 12, seed=6, labelled=True)
    manifest = convert(order).bundles[0].manifest
    assert manifest.calibration is not None
    assert manifest.calibration.synthetic
    assert manifest.fidelity is not None
    assert manifest.fidelity.data == "eval: 12 labelled samples"


def test_both_ways_at_once_are_refused(order: Order) -> None:
    photos = write_images(order.model.parent / "photos", 4, seed=5, labelled=False)
    with pytest.raises(DataError, match="give calibration data or ask for none with --data-free, not both"):
        convert(replace(order, calibration=photos))


def test_from_the_command_line_to_verify_and_report(order: Order) -> None:
    made = run(
        "convert", str(order.model), "-t", "far", "-o", str(order.out), "--threads", "1", "--data-free"
    )
    assert made.exit_code == 0, made.output
    assert "onnxruntime int8 uncalibrated" in made.stdout
    (path,) = order.out.iterdir()
    verified = run("verify", str(path))
    assert verified.exit_code == 0, verified.output
    assert "uncalibrated: ranges come from 100 synthetic inputs" in verified.stdout
    facts = json.loads(run("verify", str(path), "--json").stdout)
    assert "calibration" in [check["name"] for check in facts["checks"]]
    report = order.out / "report.html"
    assert run("report", str(path), "-o", str(report)).exit_code == 0
    assert "ranges come from 100 synthetic inputs" in report.read_text()
    assert read_bundle(path).manifest.calibration is not None


def test_synthetic_and_compared_inputs_differ_and_are_always_the_same(order: Order) -> None:
    contract = load_contract(order.model.parent / "contract.toml")
    ours = [encode_sample(sample, contract).tensors for sample in synthetic_samples(contract, 40)]
    again = [encode_sample(sample, contract).tensors for sample in synthetic_samples(contract, 40)]
    others = open_evaluation(
        contract, evaluation=None, calibration=None, limit=RANDOM + 30, macs=None, synthetic=True
    )
    assert others.random
    seen = {array.tobytes() for tensors in ours for array in tensors.values()}
    assert seen == {array.tobytes() for tensors in again for array in tensors.values()}
    for sample in others.samples:
        assert not seen & {array.tobytes() for array in encode_sample(sample, contract).tensors.values()}


@pytest.mark.parametrize("size", [(224, 224), (48, 320), (7, 9), (1, 1)])
def test_images_of_noise_have_all_contrasts(size: tuple[int, int]) -> None:
    images = [pink_image(size, seed).astype(float) for seed in range(8)]
    assert all(image.shape == (*size, 3) for image in images)
    if size == (224, 224):
        for image, contrast in zip(images, CONTRASTS * 2, strict=True):
            assert image.std() == pytest.approx(contrast, rel=0.3)  # bright and dark ones are clipped


def test_images_of_noise_are_smooth_and_nearly_grey_as_photographs_are() -> None:
    images = [pink_image((224, 224), seed).astype(float) for seed in range(8)]
    beside = [np.corrcoef(image[:, 1:, 1].ravel(), image[:, :-1, 1].ravel())[0, 1] for image in images]
    channels = [np.corrcoef(image[:, :, 0].ravel(), image[:, :, 2].ravel())[0, 1] for image in images]
    # evenly distributed noise has 0 of both
    assert np.mean(beside) > 0.85
    assert np.mean(channels) > 0.8
