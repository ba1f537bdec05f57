"""The predicted time of a model is that of its layers, and each says what holds it up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.catalog import load_catalog
from edgekit.models import graph_facts, load_model
from edgekit.simulation.by_layer import TimeByLayer, times_on
from edgekit.simulation.layers import layers_of
from tests.models.architectures import mobilenet_v1
from tests.models.building import model, node, saved, value
from tests.models.tflite_building import tiny_tflite


def times(path: Path, target_id: str) -> list[TimeByLayer]:
    catalog = load_catalog()
    target = catalog.target(target_id)
    return times_on(
        target, catalog.profile(target.profile), layers_of(load_model(path)), ("fp32", "fp16", "int8")
    )


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models"), mobilenet_v1())


def test_layers_add_up_to_the_prediction(mobilenet: Path) -> None:
    floats, integers = times(mobilenet, "raspberry-pi-4")
    assert (floats.prediction.speed.runtime, floats.prediction.speed.precision) == ("tflite", "fp32")
    for found in (floats, integers):
        assert sum(item.ms for item in found.layers) == pytest.approx(found.prediction.latency_ms.p50)
        assert sum(item.share for item in found.layers) == pytest.approx(1)
        assert sum(share for share, _ in found.by_kind.values()) == pytest.approx(1)
        assert sum(macs for _, macs in found.by_kind.values()) == pytest.approx(1)
        shares = [item.share for item in found.layers]
        assert shares == sorted(shares, reverse=True)


def test_depthwise_layers_take_more_of_the_time_than_of_the_macs(mobilenet: Path) -> None:
    """3 % of MobileNet's MACs (Howard et al. 2017, table 2), and on ruy a third of its time."""
    floats, _ = times(mobilenet, "raspberry-pi-4")
    time, macs = floats.by_kind["depthwise"]
    assert macs == pytest.approx(0.031, abs=0.002)
    assert time > 5 * macs


def test_a_large_dense_layer_is_bound_by_its_weights(tmp_path: Path) -> None:
    nodes = [node("Conv", "x k", "c"), node("Flatten", "c", "f"), node("Gemm", "f w", "y")]
    constants = {"k": np.zeros((8, 3, 3, 3), np.float32), "w": np.zeros((8 * 900, 1000), np.float32)}
    path = saved(tmp_path, model(nodes, [value("x", 1, 3, 32, 32)], [value("y", 1, 1000)], constants))
    floats, _ = times(path, "raspberry-pi-5")
    slowest = floats.layers[0]
    assert (slowest.kind, slowest.bound, slowest.layer.op) == ("dense", "memory", "Gemm")
    assert slowest.share > 0.8
    assert slowest.macs_per_element == pytest.approx(1, rel=0.01)


def test_layers_have_the_names_of_the_source(mobilenet: Path, tmp_path: Path) -> None:
    known = {item.name for item in graph_facts(load_model(mobilenet)).layers}
    floats, _ = times(mobilenet, "raspberry-pi-4")
    assert {item.layer.name for item in floats.layers} <= known
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_tflite())
    graph = load_model(path).tflite
    assert graph is not None
    assert {item.layer.name for item in times(path, "rk3588")[0].layers} <= {
        item.name for item in graph.operators
    }


def test_the_runtime_of_the_target_goes_before_what_is_faster(mobilenet: Path) -> None:
    """Of the Orin XNNPACK was measured, which LiteRT there computes with; of the Pi 5 ncnn alone."""
    assert times(mobilenet, "jetson-orin-cpu")[0].prediction.speed.runtime == "tflite-xnnpack"
    (floats, integers) = times(mobilenet, "raspberry-pi-5")
    assert {item.prediction.speed.runtime for item in (floats, integers)} == {"ncnn"}
    assert {item.prediction.speed.threads for item in (floats, integers)} == {4}
    assert times(mobilenet, "host") == []


def test_what_was_measured_goes_before_what_was_taken_over(mobilenet: Path) -> None:
    """A Kirin's NPU would be faster, but the target's runtimes compute on its cores, of which there are measurements."""
    floats, integers = times(mobilenet, "kirin-990")
    assert {item.prediction.speed.runtime for item in (floats, integers)} == {"paddle-lite"}
    (npu,) = times(mobilenet, "atlas-200i-a2")
    assert npu.prediction.speed.transferred_from
