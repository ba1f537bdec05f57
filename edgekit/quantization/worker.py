"""Float ONNX in, QDQ ONNX out; runs out of process like a converter's worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import (
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from edgekit.quantization.placement import QUANTIZED_OPERATORS, float_tail

if TYPE_CHECKING:
    from edgekit.conversion.protocol import ConversionReply, ConversionRequest, TensorMap

# before opset 13 a per-channel DequantizeLinear cannot be written; the tool would write one all the same
OLDEST_OPSET = 13


class Samples:
    """A CalibrationDataReader: one sample in memory at a time, in the order of the files' names."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.npz"))
        if not self.files:
            raise ValueError(f"no calibration sample in {folder}")
        self.rest = iter(self.files)

    def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
        path = next(self.rest, None)
        if path is None:
            return None
        with np.load(path) as arrays:
            return dict(arrays)


def convert(request: ConversionRequest) -> ConversionReply:
    model = onnx.load(request["source"])
    check_opset(model)
    artifact = Path(request["out_dir"]) / "qdq.onnx"
    options = request["options"]
    tail = float_tail(model.graph)
    activations = QuantType.QInt8 if options["int8_activations"] == "int8" else QuantType.QUInt8
    # without VNNI, x86 sums pairs of products in 16 bits; weights of 7 bits cannot overflow them
    weight_bits = int(options.get("int8_weight_bits", 8))
    arguments: dict[str, str | int | float | bool | None] = {
        "per_channel": True,
        "weights": "int8",
        "weight_bits": weight_bits,
        "activations": str(options["int8_activations"]),
        "ranges": str(options.get("ranges", "minmax")),
    }
    samples = Samples(Path(request["calibration"] or ""))
    quantize_static(
        request["source"],
        artifact,
        samples,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=sorted(QUANTIZED_OPERATORS),
        per_channel=True,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        reduce_range=weight_bits == 7,
        nodes_to_exclude=tail,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"CalibMovingAverage": arguments["ranges"] == "mean-minmax"},
    )
    quantized = sum(node.op_type == "QuantizeLinear" for node in onnx.load(artifact).graph.node)
    return {
        "artifact": artifact.name,
        "files": [artifact.name],
        "io": {
            "inputs": [same(value) for value in inputs(model.graph)],
            "outputs": [same(value) for value in model.graph.output],
        },
        "tools": [
            {
                "tool": "onnxruntime.quantization.quantize_static",
                "version": ort.__version__,
                "arguments": {**arguments, "samples": len(samples.files)},
            }
        ],
        "notes": [f"{quantized} tensors quantized, {len(tail)} nodes after the last weights kept in float"],
    }


def check_opset(model: onnx.ModelProto) -> None:
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < OLDEST_OPSET:
        raise ValueError(f"opset {opset} cannot hold per-channel scales; convert the model to 17 first")


def inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def same(value: onnx.ValueInfoProto) -> TensorMap:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    return {"name": value.name, "source": value.name, "transpose": None, "dtype": dtype}
