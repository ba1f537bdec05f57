"""What ``convert`` makes of an artifact that does not hold on its target's own processor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.conversion.convert import Conversion, Order, convert
from edgekit.models.zoo import resolve
from edgekit.vocabulary import Precision, RuntimeId
from tests.conversion.stripes import write_classifier, write_images
from tests.emulation.making import catalog_with

pytestmark = [
    pytest.mark.slow,
    pytest.mark.emulated,
    pytest.mark.network,
    pytest.mark.usefixtures("emulation"),
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]


def _converted(order: Order, runtime: RuntimeId, *precisions: Precision) -> Conversion:
    order = replace(order, precisions=precisions, threads=1, effort="fast")
    return convert(order, catalog=catalog_with("raspberry-pi-4", runtime, precisions=precisions))


def test_what_holds_is_said_in_the_bundle(tmp_path: Path) -> None:
    order = Order(
        model=write_classifier(tmp_path / "model"),
        targets=("raspberry-pi-4",),
        out=tmp_path / "out",
        calibration=write_images(tmp_path / "calib", 12, seed=1, labelled=False),
        evaluation=write_images(tmp_path / "eval", 12, seed=2, labelled=True),
    )
    (kept,) = _converted(order, "litert", "int8").bundles
    assert kept.manifest.isa is not None
    assert (kept.manifest.isa.cpu, kept.manifest.isa.equal_share) == ("Cortex-A72", 1)
    (note,) = (note for note in kept.manifest.notes if "run on an emulated Cortex-A72" in note)
    assert "bit for bit the build host's" in note
    assert kept.facts()["isa"]["device"] == "emulated:raspberry-pi-4"


def test_what_does_not_hold_gives_way_to_what_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO's integer convolutions answer well on x86, and on a Cortex-A72 they do not compile."""
    monkeypatch.setattr("edgekit.conversion.trial.device_options", lambda *facts: {})
    model = resolve("efficientnet-lite0", lambda done, total, doing: None)
    order = Order(model=model, targets=("raspberry-pi-4",), out=tmp_path / "out", samples=16)
    found = _converted(order, "openvino", "int8", "fp32")
    (kept,) = found.bundles
    assert kept.manifest.artifact.precision == "fp32"
    assert kept.manifest.isa is None
    assert any("not verified on aarch64" in note for note in kept.manifest.notes)
    reasons = [entry.reason for entry in found.dropped if entry.precision == "int8"]
    assert any(reason.startswith("does not hold on emulated:raspberry-pi-4: openvino") for reason in reasons)
