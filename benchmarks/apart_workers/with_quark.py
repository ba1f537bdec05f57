"""Quark's static int8: min/max, uint8 activations, int8 weights per channel; runs in its own environment.

Not its AdaRound preset: 1000 steps a layer take minutes a layer on one processor.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from quark.onnx import Int8Spec, ModelQuantizer, QConfig, QLayerConfig, UInt8Spec
from quark.onnx.quantization.config.spec import CalibMethod, QuantGranularity


class Reader:
    """onnxruntime's calibration protocol, from the start again as often as it is asked."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self.rewind()

    def get_next(self) -> dict[str, Any] | None:
        path = next(self._left, None)
        return dict(np.load(path)) if path else None

    def rewind(self) -> None:
        self._left = iter(self._files)


def main(source: str, files: str, out: str) -> None:
    config = QConfig(
        global_config=QLayerConfig(
            activation=UInt8Spec(calibration_method=CalibMethod.MinMax),
            weight=Int8Spec(
                calibration_method=CalibMethod.MinMax, quant_granularity=QuantGranularity.Channel
            ),
        ),
        extra_options={"ForceQuantizeNoInputCheck": True},
    )
    ModelQuantizer(config).quantize_model(source, out, Reader(sorted(Path(files).glob("*.npz"))))


main(*sys.argv[1:])
