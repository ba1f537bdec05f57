"""Float ONNX and its QDQ graph in, the table of sensitivities out; runs out of process like a converter's worker."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from edgekit.quantization.calibration import CalibrationFiles
from edgekit.quantization.effort import EFFORTS, effort_of
from edgekit.quantization.insertion import Scheme
from edgekit.quantization.progress import Told
from edgekit.quantization.sensitivity import sensitivity, unseen_samples

if TYPE_CHECKING:
    from edgekit.conversion.protocol import ConversionReply, ConversionRequest


def convert(request: ConversionRequest) -> ConversionReply:
    """``options["qdq"]``: the graph that edgekit's quantization made of ``source``."""
    options = request["options"]
    model = onnx.shape_inference.infer_shapes(onnx.load(request["source"]), data_prop=True)
    quantized = onnx.load(str(options["qdq"]))
    effort = effort_of(options)
    files = CalibrationFiles(Path(request["calibration"] or ""))
    samples, unseen = unseen_samples(files, model, EFFORTS[effort], effort)
    limit, told = Scheme.of(options).weight_limit, Told.to(request.get("progress"))
    table = sensitivity(
        model, quantized, samples, limit=limit, threads=request["threads"], unseen=unseen, told=told
    )
    path = table.write(Path(request["out_dir"]))
    version = importlib.metadata.version("edgekit-toolchain")
    arguments: dict[str, str | int | float | bool | None] = {"effort": effort, "samples": len(samples)}
    return {
        "artifact": path.name,
        "files": [path.name],
        "io": {"inputs": [], "outputs": []},
        "tools": [{"tool": "edgekit.sensitivity", "version": version, "arguments": arguments}],
        "notes": [],
    }
