"""Ask LiteRT and the ONNX graph made from the same TFLite file the same, in the file's own layout."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgekit.models.zoo.builders._tflite_graph import tflite_graph
from tests.runtimes import run_onnx

Array = np.ndarray[Any, Any]
CUSTOM = b"Convolution2DTransposeBias"


def litert(path: Path, inputs: dict[str, Array]) -> dict[str, Array]:
    """What LiteRT's reference kernels answer."""
    interpreter = Interpreter(
        model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], inputs[detail["name"]])
    interpreter.invoke()
    return {d["name"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}


def as_onnx(path: Path, inputs: dict[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
    """What onnxruntime answers to the graph made from ``path``."""
    made = path.with_suffix(".onnx")
    tflite_graph(path, "made", outputs).write(made, {})
    turned = {name: _turned(values, (0, 3, 1, 2)) for name, values in inputs.items()}
    (answers,) = run_onnx(made, [turned])
    return {name: _turned(values, (0, 2, 3, 1)) for name, values in answers.items()}


def _turned(values: Array, order: tuple[int, ...]) -> Array:
    return np.ascontiguousarray(values.transpose(order)) if values.ndim == 4 else values


def without_custom(content: bytes) -> bytes:
    """The same model with LiteRT's own TRANSPOSE_CONV for MediaPipe's custom operator, which LiteRT lacks."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    for code in model.operatorCodes:
        if code.customCode == CUSTOM:
            # version 3 takes a bias
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE_CONV
            code.customCode, code.version = None, 3
    for operator in graph.operators:
        if operator.customOptions is None:
            continue
        padding, width, height = struct.unpack_from("<3i", bytes(operator.customOptions))
        operator.customOptions = None
        operator.builtinOptionsType = schema.BuiltinOptions.TransposeConvOptions
        operator.builtinOptions = schema.TransposeConvOptionsT()
        operator.builtinOptions.padding = {1: schema.Padding.SAME, 2: schema.Padding.VALID}[padding]
        operator.builtinOptions.strideW, operator.builtinOptions.strideH = width, height
        shape, buffer = schema.TensorT(), schema.BufferT()
        buffer.data = np.array(graph.tensors[operator.outputs[0]].shape, np.int32).view(np.uint8)
        shape.name, shape.shape, shape.type = b"output_shape", [4], schema.TensorType.INT32
        shape.buffer = len(model.buffers)
        model.buffers.append(buffer)
        graph.tensors.append(shape)
        x, weight, bias = operator.inputs
        operator.inputs = [len(graph.tensors) - 1, weight, x, bias]
    packed = flatbuffers.Builder(1024)
    packed.Finish(model.Pack(packed), b"TFL3")
    return bytes(packed.Output())
