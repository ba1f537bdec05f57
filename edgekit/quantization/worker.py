"""Float ONNX in, QDQ ONNX out; runs out of process like a converter's worker."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import onnxruntime as ort

from edgekit.quantization.absorbing import absorb_zero_points
from edgekit.quantization.calibration import CalibrationFiles
from edgekit.quantization.effort import bounds_of, effort_of
from edgekit.quantization.insertion import Scheme
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.progress import Told
from edgekit.quantization.quantize import quantize
from edgekit.quantization.travel import activation_ranges, grid_model, nodes_in_float

if TYPE_CHECKING:
    from edgekit.conversion.protocol import ConversionReply, ConversionRequest, TensorMap

FILES = ("qdq.onnx", "grid.onnx", "ranges.json", "in_float.json")
"""The graph, and for converters that cannot read it: the float model with its weights, ranges of its activations, and
the nodes that it computes in float."""

# before opset 13 a per-channel DequantizeLinear cannot be written; the tool would write one all the same
OLDEST_OPSET = 13


def convert(request: ConversionRequest) -> ConversionReply:
    model = onnx.load(request["source"])
    check_opset(model)
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    options = request["options"]
    scheme, effort = Scheme.of(options), effort_of(options)
    samples = CalibrationFiles(Path(request["calibration"] or ""))
    gates = bool(options.get("gates_in_float", True))
    in_float = float_nodes(model.graph, kept_in_float(options), gates_in_float=gates)
    told = Told.to(request.get("progress"))
    bounds = bounds_of(options)
    made = quantize(model, samples, in_float, scheme, bounds, threads=request["threads"], told=told)
    artifact, grid, ranges, floats = (Path(request["out_dir"]) / name for name in FILES)
    grid.write_bytes(grid_model(made.source, made.model).SerializeToString(deterministic=True))
    ranges.write_text(json.dumps(activation_ranges(made.source, made.model), indent=1))
    floats.write_text(json.dumps(nodes_in_float(made.source, made.model), indent=1))
    if scheme.activations == "tiles":
        absorb_zero_points(made.model.graph)
    artifact.write_bytes(made.model.SerializeToString(deterministic=True))
    quantized = sum(node.op_type == "QuantizeLinear" for node in made.model.graph.node)
    return {
        "artifact": artifact.name,
        "files": list(FILES),
        "io": {
            "inputs": [same(value) for value in inputs(model.graph)],
            "outputs": [same(value) for value in model.graph.output],
        },
        "tools": [
            {
                "tool": "edgekit.quantization",
                "version": importlib.metadata.version("edgekit-toolchain"),
                "arguments": {
                    "effort": effort,
                    "ranges": made.ranges,
                    "equalized": made.equalized,
                    "fitted_layers": made.fitted_layers,
                    "activations": scheme.activations,
                    "pairs": scheme.pairs,
                    "weight_bits": scheme.weight_bits,
                    "samples": len(samples),
                    "nodes_in_float": len(in_float.all),
                    "kept_in_float": json.dumps(in_float.kept),
                },
            },
            {"tool": "onnxruntime.quantization", "version": ort.__version__, "arguments": {}},
        ],
        "notes": [
            f"{quantized} activations in int8; in float: {len(in_float.tail)} nodes behind the last weights,"
            f" {len(in_float.attention)} around attention, {len(in_float.shifts)} sums with constants,"
            f" {len(in_float.gates)} in gates",
            *made.notes,
        ],
    }


def kept_in_float(options: Mapping[str, str | int | float | bool]) -> tuple[str, ...]:
    """Nodes that the caller wants in float: ``options["float_nodes"]``, a JSON list of names."""
    return tuple(json.loads(str(options.get("float_nodes", "[]"))))


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
