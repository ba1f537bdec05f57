"""Float TFLite in, TFLite out: as it is, with float16 weights, or quantized by ai-edge-quantizer."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from biases import hold_biases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from edgekit.conversion.protocol import ConversionReply, ConversionRequest, IoMap, TensorMap, ToolRun

Array = np.ndarray[Any, Any]

SMALLEST = 256
"""Elements from which a weight is worth an operator of its own."""
STEPS = {"static_wi8_ai8": 2**8 - 1, "static_wi8_ai16": 2**16 - 2}
"""Recipe -> into how many steps it divides an activation's range."""
PRODUCTS = {"ADD", "MUL"}
"""What computes in 16 bits beside layers in 8. Softmax, means and attention answer with nothing in such a mixture."""
MOVES = {"RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS"}
"""Operators that compute nothing."""


def convert(request: ConversionRequest) -> ConversionReply:
    source, artifact = Path(request["source"]), Path(request["out_dir"]) / "model.tflite"
    io = request["io"] or identity(source)
    recipe = str(request["options"].get("recipe", ""))
    if recipe:
        run = quantize(source, artifact, recipe, request, io)
    elif request["precision"] == "fp16":
        run = halve(source, artifact)
    else:
        shutil.copyfile(source, artifact)
        run = tool("ai-edge-litert", "ai-edge-litert")
    return {
        "artifact": artifact.name,
        "files": [artifact.name],
        "io": carried_over(io, source, artifact),
        "tools": [run],
        "notes": notes(artifact),
    }


def identity(source: Path) -> IoMap:
    """The map of a TFLite file that is the source model itself."""
    model = Interpreter(str(source))

    def tensors(details: list[dict[str, Any]]) -> list[TensorMap]:
        return [
            {
                "name": str(detail["name"]),
                "source": str(detail["name"]),
                "transpose": None,
                "dtype": np.dtype(detail["dtype"]).name,
            }
            for detail in details
        ]

    return {"inputs": tensors(model.get_input_details()), "outputs": tensors(model.get_output_details())}


def carried_over(io: IoMap, source: Path, artifact: Path) -> IoMap:
    """``io`` of ``source`` in the names and dtypes of ``artifact``: their order stays, names may change."""
    before, after = identity(source), identity(artifact)
    return {
        "inputs": renamed(io["inputs"], before["inputs"], after["inputs"]),
        "outputs": renamed(io["outputs"], before["outputs"], after["outputs"]),
    }


def renamed(maps: list[TensorMap], before: list[TensorMap], after: list[TensorMap]) -> list[TensorMap]:
    now = {old["name"]: new for old, new in zip(before, after, strict=True)}
    return [
        {**tensor, "name": now[tensor["name"]]["name"], "dtype": now[tensor["name"]]["dtype"]}
        for tensor in maps
    ]


def quantize(source: Path, artifact: Path, name: str, request: ConversionRequest, io: IoMap) -> ToolRun:
    from ai_edge_quantizer import quantizer, recipe

    def prepared(file: Path) -> Any:
        aeq = quantizer.Quantizer(str(file))
        aeq.load_quantization_recipe(getattr(recipe, name)())
        # the graph's own inputs and outputs stay float: the contract speaks in real values
        for end in ("INPUT", "OUTPUT"):
            aeq.update_quantization_recipe(".*", end, algorithm_key="no_quantize")
        return aeq

    aeq = prepared(source)
    if not aeq.need_calibration:
        aeq.quantize().export_model(str(artifact))
        return tool("ai-edge-quantizer", "ai-edge-quantizer", recipe=name)
    ranges = calibrate(aeq, source, request, io)
    given = hand_over(request.get("ranges", {}), ranges)
    kept = passed_on(source, set(request.get("in_float", ())))
    wide = passed_on(source, set(request.get("wide", ())), PRODUCTS)
    with tempfile.TemporaryDirectory() as scratch:
        held = Path(scratch, "model.tflite")
        raised = hold_biases(source, held, ranges, STEPS[name])
        aeq = prepared(held if raised else source)
        for operator in kept:
            # it searches for the pattern in the names of all outputs of an operator, a semicolon behind each
            aeq.update_quantization_recipe(f"^{re.escape(operator)};", "*", algorithm_key="no_quantize")
        for operator in wide:
            aeq.add_static_config(f"^{re.escape(operator)};", "*", activation_num_bits=16, weight_num_bits=8)
        aeq.quantize(ranges).export_model(str(artifact))
    return tool(
        "ai-edge-quantizer",
        "ai-edge-quantizer",
        recipe=name,
        given_ranges=given,
        in_float=len(kept),
        wide=len(wide),
        held_biases=raised,
    )


def passed_on(source: Path, chosen: Collection[str], kinds: Collection[str] = ()) -> list[str]:
    """The operators of ``chosen`` (of ``kinds``, where any are named) and those that hand on what they made, by their
    first output.

    A change of layout between two operators in float would cost two conversions and a rounding.
    """
    model = Interpreter(str(source))
    names = {detail["index"]: str(detail["name"]) for detail in model.get_tensor_details()}
    found: dict[str, None] = {}
    for operator in model._get_ops_details():
        made, taken = names[operator["outputs"][0]], names.get(operator["inputs"][0])
        kind = operator["op_name"]
        if taken in found if kind in MOVES else made in chosen and (not kinds or kind in kinds):
            found[made] = None
    return list(found)


def hand_over(given: Mapping[str, Sequence[float]], ranges: dict[str, dict[str, Array]]) -> int:
    """Put ``given`` ranges in the place of calibrated ones; return how many there were.

    Calibrated ones remain where the tool made an operator of its own out of several.
    """
    known = given.keys() & ranges.keys()
    for name in known:
        low, high = given[name]
        ranges[name] |= {
            "min": np.full_like(ranges[name]["min"], low),
            "max": np.full_like(ranges[name]["max"], high),
        }
    return len(known)


def calibrate(aeq: Any, source: Path, request: ConversionRequest, io: IoMap) -> Any:
    signature = next(iter(Interpreter(str(source)).get_signature_list()))
    samples = Samples(request["calibration"], io)
    return aeq.calibrate({signature: samples}, num_threads=request["threads"])


class Samples:
    """Calibration samples in the artifact's names and layouts, one in memory at a time.

    Not a generator: the quantizer goes through them once to count and once to calibrate.
    """

    def __init__(self, folder: str | None, io: IoMap) -> None:
        self.files = sorted(Path(folder).glob("*.npz")) if folder else []
        self.inputs = io["inputs"]
        if not self.files:
            raise ValueError("static quantization needs calibration samples")

    def __iter__(self) -> Iterator[dict[str, Array]]:
        for path in self.files:
            with np.load(path) as arrays:
                yield {tensor["name"]: turned(arrays[tensor["source"]], tensor) for tensor in self.inputs}


def turned(value: Array, tensor: TensorMap) -> Array:
    axes = tensor["transpose"]
    laid_out = value if axes is None else np.ascontiguousarray(value.transpose(axes))
    return laid_out.astype(tensor["dtype"])


def halve(source: Path, artifact: Path) -> ToolRun:
    """Store float weights in half precision, each behind a DEQUANTIZE that the runtime folds on loading.

    ai-edge-quantizer's float_casting does so for convolutions and FULLY_CONNECTED alone; transformers come as
    BATCH_MATMUL and GATHER.
    """
    model = schema.ModelT.InitFromPackedBuf(source.read_bytes(), 0)
    code = schema.OperatorCodeT(
        builtinCode=schema.BuiltinOperator.DEQUANTIZE,
        deprecatedBuiltinCode=schema.BuiltinOperator.DEQUANTIZE,
        version=3,  # the first that takes float16
    )
    model.operatorCodes.append(code)
    halves: dict[int, int] = {}
    for graph in model.subgraphs:
        weights = [number for number, tensor in enumerate(graph.tensors) if is_float_weight(tensor, model)]
        graph.operators[:0] = [widen(number, graph, model, halves) for number in weights]
    for wide in halves:
        model.buffers[wide].data = None
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    artifact.write_bytes(builder.Output())
    return tool("float16 weights", "ai-edge-litert", smallest_elements=SMALLEST)


def is_float_weight(tensor: Any, model: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return tensor.type == schema.TensorType.FLOAT32 and data is not None and len(data) >= 4 * SMALLEST


def widen(number: int, graph: Any, model: Any, halves: dict[int, int]) -> Any:
    """Give the tensor's data to a new float16 tensor; return the operator that makes it float32 again.

    ``halves``: the float16 buffer of each float32 buffer, which several tensors may share.
    """
    tensor = graph.tensors[number]
    if tensor.buffer not in halves:
        halves[tensor.buffer] = len(model.buffers)
        model.buffers.append(schema.BufferT(data=half_precision(model.buffers[tensor.buffer].data)))
    half = schema.TensorT(
        shape=tensor.shape,
        type=schema.TensorType.FLOAT16,
        buffer=halves[tensor.buffer],
        name=tensor.name + b"_float16",
        hasRank=True,
    )
    graph.tensors.append(half)
    tensor.buffer = 0
    return schema.OperatorT(
        opcodeIndex=len(model.operatorCodes) - 1,
        inputs=np.array([len(graph.tensors) - 1], np.int32),
        outputs=np.array([number], np.int32),
        builtinOptionsType=schema.BuiltinOptions.DequantizeOptions,
        builtinOptions=schema.DequantizeOptionsT(),
    )


def half_precision(data: Array) -> Array:
    """The bytes of float32 values as those of float16; what is too large becomes the largest."""
    wide = np.frombuffer(bytes(data), np.float32)
    largest = np.finfo(np.float16).max
    return np.frombuffer(np.clip(wide, -largest, largest).astype(np.float16).tobytes(), np.uint8)


def notes(artifact: Path) -> list[str]:
    """TFLM reads a buffer behind the flatbuffer as empty and answers a constant; LiteRT reads it."""
    model = schema.ModelT.InitFromPackedBuf(artifact.read_bytes(), 0)
    if not any(buffer.offset > 1 for buffer in model.buffers):
        return []
    return ["weights lie behind the flatbuffer: LiteRT reads them, TensorFlow Lite Micro does not"]


def tool(name: str, distribution: str, **arguments: str | int) -> ToolRun:
    return {"tool": name, "version": importlib.metadata.version(distribution), "arguments": dict(arguments)}
