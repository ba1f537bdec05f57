"""ONNX in, a file for onnxruntime out: optimized offline, float16, QDQ or dynamic int8, int8 or int4 weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import onnxruntime as ort

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgekit.conversion.protocol import ConversionReply, ConversionRequest, TensorMap, ToolRun

# What every CPU can take: ORT_ENABLE_ALL would bake in this machine's blocked NCHWc layout.
PORTABLE = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED


def convert(request: ConversionRequest) -> ConversionReply:
    source, out = Path(request["source"]), Path(request["out_dir"])
    as_ort = request["options"].get("format") == "ort"
    artifact = out / ("model.ort" if as_ort else "model.onnx")
    notes: list[str] = []
    more: list[ToolRun] = []
    match request["precision"], as_ort:
        case "fp32", _:
            run = optimize(source, artifact, request["threads"], as_ort=as_ort)
        case "int8", True:
            run = optimize(source, artifact, request["threads"], as_ort=True)
        case "int8", False:
            run = keep(source, artifact)
        case "fp16", False:
            run = halve(source, artifact)
            notes.append("onnxruntime's CPU kernels compute in fp32: half the size, not faster")
        case "int8-dynamic", _:
            made = out / "model.onnx"
            run, quantized = quantize_dynamically(source, made, request)
            if as_ort:
                more = [optimize(made, artifact, request["threads"], as_ort=True)]
                made.unlink()
            notes.append(f"{quantized} MatMul nodes run on int8 weights")
        case (("int8-weights" | "int4-weights"), _):
            run, lines = quantize_weights_only(source, artifact, request)
            notes += lines
        case other, _:
            raise ValueError(f"precision {other} is not one of this converter's variants")
    graph = onnx.load(source, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    return {
        "artifact": artifact.name,
        "files": [artifact.name],
        "io": {
            "inputs": list(same(value for value in graph.input if value.name not in constants)),
            "outputs": list(same(graph.output)),
        },
        "tools": [run, *more],
        "notes": notes,
    }


def same(values: Iterable[onnx.ValueInfoProto]) -> Iterable[TensorMap]:
    """onnxruntime keeps names, layouts and dtypes of all inputs and outputs."""
    for value in values:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
        yield {"name": value.name, "source": value.name, "transpose": None, "dtype": dtype}


def optimize(source: Path, artifact: Path, threads: int, *, as_ort: bool) -> ToolRun:
    """Fold, fuse and write the graph; the result gives the same numbers and starts faster."""
    options = ort.SessionOptions()
    options.graph_optimization_level = PORTABLE
    options.optimized_model_filepath = str(artifact)
    options.intra_op_num_threads = threads
    # warnings are about this very use: an optimized file is for the runtime that wrote it
    options.log_severity_level = 3
    if as_ort:
        options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return tool("onnxruntime, ORT format" if as_ort else "onnxruntime", level="extended")


def keep(source: Path, artifact: Path) -> ToolRun:
    """edgekit's QDQ graph is the artifact: onnxruntime fuses it for its own CPU when it loads it."""
    shutil.copyfile(source, artifact)
    return tool("onnxruntime", level="as quantized")


def halve(source: Path, artifact: Path) -> ToolRun:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    # inputs and outputs stay float32, so that the contract stays as it is
    model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
    onnx.save(model, artifact)
    return tool("onnxruntime.transformers.float16", keep_io_types=True)


def quantize_dynamically(source: Path, artifact: Path, request: ConversionRequest) -> tuple[ToolRun, int]:
    """int8 weights per output channel, activations quantized while running; also the number of such nodes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    bits = int(request["options"].get("int8_weight_bits", 8))
    quantize_dynamic(source, artifact, per_channel=True, reduce_range=bits == 7, weight_type=QuantType.QInt8)
    nodes = onnx.load(artifact).graph.node
    quantized = sum(node.op_type in ("MatMulInteger", "DynamicQuantizeMatMul") for node in nodes)
    run = tool("onnxruntime.quantization.quantize_dynamic", per_channel=True, weight_bits=bits)
    return run, quantized


def quantize_weights_only(
    source: Path, artifact: Path, request: ConversionRequest
) -> tuple[ToolRun, list[str]]:
    """Weights in 8 or 4 bits a block, activations float; also what a user should know."""
    from weightonly import Grid, Scheme, quantize_weights

    options = request["options"]
    bits, block, level = (int(options[name]) for name in ("bits", "block", "accuracy_level"))
    rounding, symmetric = str(options["rounding"]), bool(options["symmetric"])
    samples = sorted(Path(request["calibration"]).glob("*.npz")) if request["calibration"] else []
    if rounding == "gptq" and not samples:
        raise ValueError("rounding 'gptq' needs calibration samples")
    grid = Grid(bits=bits, block=block, symmetric=symmetric)
    scheme = Scheme(grid=grid, compensate=rounding == "gptq", accuracy_level=level)
    done = quantize_weights(onnx.load(source), scheme, samples)
    onnx.save(done.model, artifact)
    notes = [f"{done.products} products with {bits}-bit weights", f"{done.tables} embedding tables in int8"]
    if level == 4:
        notes.append(
            "inside these products each block of an activation is rounded to int8 (accuracy_level 4)"
        )
    if done.left:
        notes.append(f"float weights stay in {', '.join(done.left)}")
    run = tool(
        "edgekit blockwise",
        rounding=rounding,
        bits=bits,
        block=block,
        symmetric=symmetric,
        accuracy_level=level,
        samples=len(samples) if rounding == "gptq" else 0,
    )
    return run, notes


def tool(name: str, **arguments: str | int) -> ToolRun:
    return {"tool": name, "version": ort.__version__, "arguments": dict(arguments)}
