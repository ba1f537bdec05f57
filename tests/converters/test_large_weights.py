"""Weights that ai-edge-quantizer writes behind the flatbuffer: read, counted, and answered with like any others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.catalog_schema import Variant
from edgekit.conversion.parity import fidelity
from edgekit.conversion.protocol import ConversionRequest
from edgekit.conversion.weights import narrow_elements, stored_weights
from edgekit.conversion.workers import run_worker
from edgekit.models import graph_facts, load_model
from tests.converters.steps import CONVERTERS, load_converter
from tests.runner.tflite import dense_net
from tests.runtimes import run_tflite

WIDTH, LAYERS = 1024, 3
LITERT = load_converter("litert")
DYNAMIC = [variant for variant in LITERT.variants if variant.precision == "int8-dynamic"]


@pytest.mark.parametrize("variant", DYNAMIC, ids=lambda variant: variant.name or "default")
def test_weights_behind_the_flatbuffer(variant: Variant, tmp_path: Path) -> None:
    source, out = tmp_path / "model.tflite", tmp_path / "out"
    # 12 MB; the gain keeps values of the same size from layer to layer
    source.write_bytes(dense_net(width=WIDTH, layers=LAYERS, gain=(2 / WIDTH) ** 0.5))
    out.mkdir()
    request: ConversionRequest = {
        "source": str(source),
        "io": None,
        "out_dir": str(out),
        "precision": variant.precision,
        "options": variant.options,
        "calibration": None,
        "task": "tensor",
        "threads": 1,
    }
    reply = run_worker(LITERT, CONVERTERS / "litert", request, log=tmp_path / "worker.log")
    made = out / reply["artifact"]
    assert any("weights lie behind the flatbuffer" in note for note in reply["notes"])

    # a byte a weight, and the biases in float
    assert graph_facts(load_model(made)).weights_bytes == LAYERS * (WIDTH * WIDTH + 4 * WIDTH)
    stored = stored_weights(made, "tflite")
    assert stored is not None
    assert narrow_elements(stored) == LAYERS * WIDTH * WIDTH

    rng, io = np.random.default_rng(5), reply["io"]
    inputs = [{"image": rng.standard_normal((1, WIDTH)).astype(np.float32)} for _ in range(4)]
    found = fidelity(run_tflite(source, inputs, io), run_tflite(made, inputs, io))
    # three layers of 8-bit weights and activations; weights read as zeros leave less than 10 dB
    assert found.sqnr_db > 30
