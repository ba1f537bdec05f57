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

from edgekit.quantization.placement import QUANTIZED_OPERATORS, FloatNodes, float_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgekit.conversion.protocol import ConversionReply, ConversionRequest, TensorMap, ToolRun

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
    in_float = float_nodes(model.graph)
    samples = Samples(Path(request["calibration"] or ""))
    run = insert(Path(request["source"]), artifact, samples, in_float, request["options"])
    nodes = onnx.load(artifact).graph.node
    return {
        "artifact": artifact.name,
        "files": [artifact.name],
        "io": {
            "inputs": [same(value) for value in inputs(model.graph)],
            "outputs": [same(value) for value in model.graph.output],
        },
        "tools": [run],
        "notes": [
            f"{sum(node.op_type == 'QuantizeLinear' for node in nodes)} activations in int8; in float:"
            f" {len(in_float.tail)} nodes behind the last weights, {len(in_float.attention)} around attention,"
            f" {len(in_float.shifts)} sums with constants"
        ],
    }


def insert(
    source: Path,
    artifact: Path,
    samples: Samples,
    in_float: FloatNodes,
    options: Mapping[str, str | int | float | bool],
) -> ToolRun:
    """Run the model on all samples, note each tensor's smallest and largest value, and write the QDQ graph."""
    activations = str(options["int8_activations"])
    bits = int(options.get("int8_weight_bits", 8))
    quantize_static(
        source,
        artifact,
        samples,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=sorted(QUANTIZED_OPERATORS),
        nodes_to_exclude=list(in_float.all),
        per_channel=True,
        reduce_range=bits == 7,
        activation_type=QuantType.QInt8 if activations == "int8" else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"OpTypesToExcludeOutputQuantization": list(in_float.wide_outputs)},
    )
    return {
        "tool": "onnxruntime.quantization.quantize_static",
        "version": ort.__version__,
        "arguments": {
            "per_channel": True,
            "ranges": "minmax",
            "activations": activations,
            "weight_bits": bits,
            "samples": len(samples.files),
            "nodes_in_float": len(in_float.all),
        },
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
