"""ModelOpt's static int8 with its defaults but for calibration on the processor; runs in its own environment."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from modelopt.onnx.quantization import quantize


def main(source: str, files: str, out: str) -> None:
    feeds = [dict(np.load(path)) for path in sorted(Path(files).glob("*.npz"))]
    stacked = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    quantize(
        source, quantize_mode="int8", calibration_data=stacked, calibration_eps=["cpu"], output_path=out,
        high_precision_dtype="fp32",
    )  # fmt: skip


main(*sys.argv[1:])
