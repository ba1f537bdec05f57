"""Predicted peaks of an Arm board against those of its emulated runtimes, on graphs that took no part in the fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.devices import open_device
from edgekit.models import load_model
from edgekit.profiling.measure import memory_by_phase
from edgekit.simulation.memory import predict_memory
from tests.runner.bundles import conv_net, litert_bundle, onnx_bundle, openvino_bundle

pytestmark = [
    pytest.mark.slow,
    pytest.mark.emulated,
    pytest.mark.usefixtures("emulation"),
    # peaks of runtimes whose threads wait for each other
    pytest.mark.alone,
]
BAR = 0.15
"""Largest error of a peak, as promised."""


def measured(bundle: Path) -> int:
    with open_device("emulated:raspberry-pi-4").start(bundle, threads=1) as session:
        return memory_by_phase(session, 2).peak


def predicted(model: Path, runtime: str) -> int:
    found = predict_memory(load_model(model), runtime, "fp32", "aarch64")
    assert found
    assert found.measured_on == "aarch64, emulated"
    return found.peak


def test_onnxruntime(tmp_path: Path) -> None:
    """Activations of 5 MB each, hardly any weights."""
    bundle = onnx_bundle(tmp_path / "bundle", conv_net(channels=24, layers=3, size=224))
    assert predicted(bundle / "model.onnx", "onnxruntime") == pytest.approx(measured(bundle), rel=BAR)


def test_openvino(tmp_path: Path) -> None:
    bundle = openvino_bundle(tmp_path / "bundle")
    assert predicted(bundle.with_suffix(".onnx"), "openvino") == pytest.approx(measured(bundle), rel=BAR)


def test_litert(tmp_path: Path) -> None:
    bundle = litert_bundle(tmp_path / "bundle")
    assert predicted(bundle / "model.tflite", "litert") == pytest.approx(measured(bundle), rel=BAR)
