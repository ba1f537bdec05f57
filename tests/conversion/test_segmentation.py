"""A segmentation converts: calibrated, compared by its masks, held to labels, and verified."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.bundles import read_bundle
from edgekit.bundles.verify import verify_bundle
from edgekit.conversion.convert import Order, convert
from edgekit.devices import LocalDevice
from edgekit.vocabulary import Precision
from tests.conversion.project import ELSEWHERE, write_target
from tests.conversion.red import write_model, write_pictures


@pytest.mark.parametrize("keepdims", [None, 0, 1], ids=["scores", "indices", "indices with their axis"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_converts_and_verifies(
    precision: Precision, keepdims: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    write_target(
        tmp_path, "far", arch=ELSEWHERE, runtime="onnxruntime", format_="onnx", precisions=("int8", "fp32")
    )
    order = Order(
        model=write_model(tmp_path / "model", keepdims=keepdims),
        targets=("far",),
        out=tmp_path,
        calibration=write_pictures(tmp_path / "photos", 8, labelled=False),
        evaluation=write_pictures(tmp_path / "labelled", 6, labelled=True),
        precisions=(precision,),
        effort="fast",
        threads=1,
    )
    bundle = read_bundle(convert(order).bundles[0].path)
    manifest = bundle.manifest
    assert manifest.artifact.precision == precision
    assert manifest.accuracy
    assert (manifest.accuracy.metric, manifest.accuracy.samples) == ("mIoU", 6)
    # nothing counts that lies at a border, and red is red in 8 bits, too
    assert manifest.accuracy.source > 0.99
    assert manifest.accuracy.artifact > 0.99
    assert manifest.fidelity
    assert manifest.fidelity.agreement > 0.98
    assert manifest.golden
    (segment,) = json.loads(manifest.golden.prediction)["segments"]
    assert (segment["label"], segment["size"]) == ("person", [120, 160])
    found = verify_bundle(bundle, LocalDevice())
    assert found.ok, found.checks
