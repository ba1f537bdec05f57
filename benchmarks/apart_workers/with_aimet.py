"""AIMET's static int8: cross-layer equalization and min/max ranges; runs in its own environment."""

from __future__ import annotations

import sys
from pathlib import Path

import aimet_onnx
import numpy as np
import onnx
from aimet_onnx.common.quantsim_config.utils import get_path_for_per_channel_config
from aimet_onnx.cross_layer_equalization import equalize_model


def main(source: str, files: str, out: str) -> None:
    model = onnx.load(source)
    feeds = [dict(np.load(path)) for path in sorted(Path(files).glob("*.npz"))]
    equalize_model(model)
    sim = aimet_onnx.QuantizationSimModel(
        model, param_type=aimet_onnx.int8, activation_type=aimet_onnx.int8, quant_scheme="min_max",
        config_file=get_path_for_per_channel_config(),
    )  # fmt: skip
    sim.compute_encodings(feeds)
    onnx.save(sim.to_onnx_qdq(export_int32_bias=True, prequantize_constants=True), out)


main(*sys.argv[1:])
