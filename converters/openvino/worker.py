"""ONNX in, OpenVINO IR out: float, float16 weights, edgekit's QDQ graph, or quantized or compressed by NNCF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import openvino as ov

SAME_VALUES = {"MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""Operators that hand on some of their input's values as they are."""

if TYPE_CHECKING:
    from edgekit.conversion.protocol import ConversionReply, ConversionRequest, TensorMap, ToolRun


def convert(request: ConversionRequest) -> ConversionReply:
    model = ov.convert_model(request["source"])
    half = request["precision"] == "fp16"
    runs: list[ToolRun] = [
        {"tool": "openvino", "version": ov.__version__, "arguments": {"compress_to_fp16": half}}
    ]
    notes: list[str] = []
    if request["options"].get("quantizer") == "nncf":
        model, run = quantize(model, request)
        runs.append(run)
    if request["precision"] in ("int8-weights", "int4-weights"):
        model, run = compress(model, request)
        runs.append(run)
        notes += stored_notes(model)
    if request["options"].get("int8_pairs") == "read":
        drop_repeated(model)
    if request["precision"] == "int8":
        fakes = sum(operation.get_type_name() == "FakeQuantize" for operation in model.get_ops())
        notes.append(f"{fakes} FakeQuantize operations" if fakes else "nothing was quantized")
    name_by_order(model)
    ov.save_model(model, Path(request["out_dir"]) / "model.xml", compress_to_fp16=half)
    return {
        "artifact": "model.xml",
        "files": ["model.xml", "model.bin"],
        "io": {
            "inputs": [tensor_map(port) for port in model.inputs],
            "outputs": [tensor_map(port) for port in model.outputs],
        },
        "tools": runs,
        "notes": notes,
        "source_nodes": output_nodes(Path(request["source"])),
    }


def output_nodes(source: Path) -> dict[str, str]:
    """OpenVINO calls the operator that makes an output of the graph by the output's name."""
    graph = onnx.load(source, load_external_data=False).graph
    makers = {output: node for node in graph.node for output in node.output}
    found = {}
    for value in graph.output:
        node = makers.get(value.name)  # None where an input is handed through
        while node and node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] in makers:
            node = makers[node.input[0]]
        if node and node.name:
            found[value.name] = node.name
    return found


def drop_repeated(model: Any) -> None:
    """Take out each FakeQuantize of values that lie on its grid already: behind a MaxPool or a Reshape of such.

    onnxruntime needs a pair there; OpenVINO would run it, one pass over the map for nothing.
    """
    for operation in model.get_ordered_ops():
        if operation.get_type_name() != "FakeQuantize":
            continue
        maker = operation.input_value(0).get_node()
        while maker.get_type_name() in SAME_VALUES:
            maker = maker.input_value(0).get_node()
        if maker.get_type_name() == "FakeQuantize" and grid(maker) == grid(operation):
            operation.output(0).replace(operation.input_value(0))


def grid(fake: Any) -> tuple[Any, ...]:
    """Levels and ranges of a FakeQuantize; of itself alone where they are computed."""
    ends = [fake.input_value(place).get_node() for place in range(1, 5)]
    if any(end.get_type_name() != "Constant" for end in ends):
        return (fake.get_name(),)
    return (fake.get_levels(), *(end.data.tobytes() for end in ends))


def name_by_order(model: Any) -> None:
    """Name what has no name of its own by its place: OpenVINO counts such nodes over threads, as they come."""
    for place, operation in enumerate(model.get_ordered_ops()):
        if operation.get_friendly_name() == operation.get_name():
            operation.set_friendly_name(f"{operation.get_type_name()}.{place}")


def tensor_map(port: Any) -> TensorMap:
    """The ONNX frontend keeps names, layouts and dtypes; a tensor may carry further names after folding."""
    dtype = np.dtype(port.get_element_type().to_dtype()).name
    name = port.get_any_name()
    return {"name": name, "source": name, "transpose": None, "dtype": dtype}


def quantize(model: Any, request: ConversionRequest) -> tuple[Any, ToolRun]:
    """NNCF's post-training quantization on all calibration samples, in their order."""
    import nncf

    files = sorted(Path(request["calibration"] or "").glob("*.npz"))
    if not files:
        raise ValueError("NNCF needs calibration samples")
    asked = request["options"].get("preset")
    preset = nncf.QuantizationPreset(str(asked)) if asked else None
    # Without it NNCF quantizes attention masks and LayerNorms too: cosine 0.1 for BERT, and no error.
    transformer = request["task"].startswith(("text-classification", "sentence"))
    # by itself NNCF keeps only the first layer's weights to 7 bits
    saturating = int(request["options"].get("int8_weight_bits", 8)) == 7
    fix = nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE) if saturating else None
    quantized = nncf.quantize(
        model,
        nncf.Dataset(files, read_sample),
        preset=preset,
        subset_size=len(files),
        model_type=nncf.ModelType.TRANSFORMER if transformer else None,
        # the samples' order decides nothing but speed; bias correction on all of them
        fast_bias_correction=True,
        advanced_parameters=fix,
    )
    arguments: dict[str, str | int | float | bool | None] = {
        "preset": preset.value if preset else None,
        "model_type": "transformer" if transformer else None,
        "subset_size": len(files),
        "weight_bits": 7 if saturating else 8,
    }
    return quantized, {"tool": "nncf.quantize", "version": nncf.__version__, "arguments": arguments}


def compress(model: Any, request: ConversionRequest) -> tuple[Any, ToolRun]:
    """NNCF's weight compression, by groups for 4 bits; what it leaves at 8 bits are embeddings and the last layer."""
    import nncf

    options = request["options"]
    mode, group, gptq = str(options["mode"]), options.get("group_size"), bool(options.get("gptq", False))
    files = sorted(Path(request["calibration"] or "").glob("*.npz")) if gptq else []
    if gptq and not files:
        raise ValueError("NNCF's gptq needs calibration samples")
    # NNCF takes None for what a mode does not know, and refuses a value
    grouped = {"group_size": int(group)} if group else {}
    fitted = {"gptq": True, "dataset": nncf.Dataset(files, read_sample), "subset_size": len(files)}
    compressed = nncf.compress_weights(
        model, mode=nncf.CompressWeightsMode(mode), **grouped, **(fitted if gptq else {})
    )
    arguments: dict[str, str | int | float | bool | None] = {"mode": mode, "gptq": gptq, **grouped}
    if gptq:
        arguments["subset_size"] = len(files)
    return compressed, {"tool": "nncf.compress_weights", "version": nncf.__version__, "arguments": arguments}


def stored_notes(model: Any) -> list[str]:
    """How many constants of how many bits there are."""
    constants = [item for item in model.get_ops() if item.get_type_name() == "Constant"]
    kinds = [item.get_element_type().get_type_name() for item in constants if len(item.shape) >= 2]
    found = {kind: kinds.count(kind) for kind in ("i8", "u8", "i4", "u4") if kind in kinds}
    counts = ", ".join(f"{count} of {kind}" for kind, count in found.items())
    return [f"constants: {counts}" if found else "nothing was quantized"]


def read_sample(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(path) as arrays:
        return dict(arrays)
