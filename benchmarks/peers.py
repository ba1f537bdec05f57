"""What a user would get from the libraries' own quantizers on the same calibration data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgekit.quantization.calibration import CalibrationFiles, Feeds


class Reader:
    """onnxruntime's calibration protocol."""

    def __init__(self, files: CalibrationFiles) -> None:
        self._feeds = iter(files)

    def get_next(self) -> Feeds | None:
        return next(self._feeds, None)


def onnxruntime_int8(model: Path, files: CalibrationFiles, out: Path, *, text: bool) -> str:
    """``quantize_static`` (min/max, per channel, QDQ) for vision, ``quantize_dynamic`` for text, as its docs advise."""
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    made = out / "model.onnx"
    if text:
        quantize_dynamic(model, made, per_channel=True, weight_type=QuantType.QInt8)
        return made.name
    prepared = out / "prepared.onnx"
    quant_pre_process(model, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared, made, Reader(files), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
    )  # fmt: skip
    prepared.unlink()
    return made.name


def openvino_nncf_int8(model: Path, files: CalibrationFiles, out: Path, *, text: bool) -> str:
    """``nncf.quantize`` with its defaults; text models with ``model_type=TRANSFORMER``, as its docs advise."""
    import nncf
    import openvino

    quantized = nncf.quantize(
        openvino.convert_model(model), nncf.Dataset(files), subset_size=len(files),
        model_type=nncf.ModelType.TRANSFORMER if text else None,
    )  # fmt: skip
    openvino.save_model(quantized, out / "model.xml")
    return "model.xml"


PEERS: dict[str, tuple[str, Callable[..., str]]] = {
    "onnxruntime int8": ("onnxruntime", onnxruntime_int8),
    "OpenVINO + NNCF int8": ("openvino", openvino_nncf_int8),
}
"""Name -> runtime and how the artifact is made."""
