"""A bundle on a board that is not here: one record from its graph, marked as predicted, in the table with all others."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from edgekit.catalog import load_catalog
from edgekit.errors import DeviceError
from edgekit.models import load_model
from edgekit.profiling import runnable
from edgekit.profiling.predicted import predicted
from edgekit.profiling.record import Measurement
from edgekit.profiling.stored import compare_measurements
from edgekit.simulation import Asked, estimate
from tests.graphs import tiny_cnn

TFLITE = Path(__file__).parents[1] / "converters" / "data" / "tiny_cnn.tflite"
BOARD = "predicted:raspberry-pi-4"
GRAPH = "?from=graph"
"""Also where emulation is set up."""


def foretold(model: Path, device: str = BOARD, threads: int = 1) -> Measurement:
    with runnable(str(model), {}) as ready:
        return predicted(ready, device + GRAPH, load_catalog(), threads=threads)


def test_the_artifacts_own_graph_is_what_estimate_reads() -> None:
    found = foretold(TFLITE)
    assert (found.kind, found.latency_ms, found.memory_bytes, found.prediction) == (
        "predicted",
        None,
        None,
        None,
    )
    assert found.estimate is not None
    assert found.estimate.runtime == "tflite"
    asked = estimate(load_model(TFLITE), [BOARD], load_catalog(), Asked(runtime="tflite", precision="fp32"))
    assert found.estimate.latency_ms in {item.latency_ms.p50 for item in asked}
    assert found.estimate.low_ms < found.estimate.latency_ms < found.estimate.high_ms
    assert found.estimate.outside, "a net this small is like none that was measured, and that is said"
    assert "unlike what was measured there" in found.estimate.says
    assert found.estimate.ram_bytes is not None
    assert found.context.cpu == "4 Cortex-A72"


def test_a_profile_that_no_target_has_will_do() -> None:
    found = foretold(TFLITE, "predicted:rk3399")
    assert found.estimate is not None
    assert (found.estimate.profile, found.context.os) == ("rk3399", "unknown")


def test_two_predictions_compare_without_noise() -> None:
    slow, fast = foretold(TFLITE), foretold(TFLITE, "predicted:rk3588")
    metric = {item.name: item for item in compare_measurements(slow, fast).metrics}["p50"]
    assert metric.ci_low == metric.ratio == metric.ci_high < 1


def test_a_runtime_that_nothing_is_known_of_is_one_clear_error(tmp_path: Path) -> None:
    onnx.save(tiny_cnn(), tmp_path / "net.onnx")
    with pytest.raises(
        DeviceError, match=r"nothing is known there of onnxruntime fp32.*edgekit estimate MODEL"
    ):
        foretold(tmp_path / "net.onnx")
