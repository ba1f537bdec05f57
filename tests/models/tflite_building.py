"""Write small TFLite files with the schema's own object API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9, "float16": 1}


@dataclass
class Builder:
    """Collects tensors and operators of one graph; tensors are named by the caller."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    operators: list[Any] = field(default_factory=list)
    codes: list[Any] = field(default_factory=list)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        *,
        data: np.ndarray | None = None,
        dtype: str = "float32",
        scale: float = 0,
    ) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name.encode(), list(shape)
        tensor.type = TYPES[str(data.dtype) if data is not None else dtype]
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        if scale:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None) -> None:
        """``name`` of a builtin operator, else a custom one."""
        code = schema.OperatorCodeT()
        known = getattr(schema.BuiltinOperator, name, None)
        code.builtinCode = schema.BuiltinOperator.CUSTOM if known is None else known
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = name.encode() if known is None else None
        code.version = 1
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.codes), list(inputs), list(outputs)
        if options is not None:
            operator.builtinOptionsType = getattr(
                schema.BuiltinOptions, type(options).__name__.removesuffix("T")
            )
            operator.builtinOptions = options
        self.codes.append(code)
        self.operators.append(operator)

    def content(
        self, inputs: Sequence[int], outputs: Sequence[int], description: str = "test", metadata: bytes = b""
    ) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs, graph.name = list(inputs), list(outputs), b"main"
        model = schema.ModelT()
        model.version, model.description = 3, description.encode()
        model.subgraphs, model.buffers, model.operatorCodes = [graph], self.buffers, self.codes
        if metadata:
            entry, buffer = schema.MetadataT(), schema.BufferT()
            entry.name, entry.buffer = b"TFLITE_METADATA", len(self.buffers)
            buffer.data = np.frombuffer(metadata, np.uint8)
            model.metadata, model.buffers = [entry], [*self.buffers, buffer]
        packed = flatbuffers.Builder(1024)
        packed.Finish(model.Pack(packed), b"TFL3")
        return bytes(packed.Output())


def conv_options(padding: int = schema.Padding.SAME) -> Any:
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = padding, 1, 1
    options.dilationHFactor = options.dilationWFactor = 1
    return options


def depthwise_options() -> Any:
    options = schema.DepthwiseConv2DOptionsT()
    options.padding, options.strideH, options.strideW, options.depthMultiplier = schema.Padding.SAME, 1, 1, 1
    options.dilationHFactor = options.dilationWFactor = 1
    return options


def tiny_tflite(*, licence: str = "", metadata: bytes = b"") -> bytes:
    """x [1,8,8,3] -> conv 3x3 to 4 -> depthwise 3x3 -> fully connected [1,5]; 6,912 + 2,304 + 1,280 MACs."""
    b = Builder()
    rng = np.random.default_rng(0)
    x = b.tensor("x", (1, 8, 8, 3))
    w1 = b.tensor("w1", (4, 3, 3, 3), data=rng.standard_normal((4, 3, 3, 3)).astype(np.float32))
    b1 = b.tensor("b1", (4,), data=np.zeros(4, np.float32))
    c = b.tensor("conv", (1, 8, 8, 4))
    w2 = b.tensor("w2", (1, 3, 3, 4), data=rng.standard_normal((1, 3, 3, 4)).astype(np.float32))
    d = b.tensor("depthwise", (1, 8, 8, 4))
    w3 = b.tensor("w3", (5, 256), data=rng.standard_normal((5, 256)).astype(np.float32))
    shape = b.tensor("shape", (2,), data=np.array([1, 256], np.int32))
    flat = b.tensor("flat", (1, 256))
    y = b.tensor("y", (1, 5))
    b.operator("CONV_2D", [x, w1, b1], [c], conv_options())
    b.operator("DEPTHWISE_CONV_2D", [c, w2, b1], [d], depthwise_options())
    b.operator("RESHAPE", [d, shape], [flat], schema.ReshapeOptionsT())
    b.operator("FULLY_CONNECTED", [flat, w3, -1], [y], schema.FullyConnectedOptionsT())
    return b.content([x], [y], f"licence: {licence}" if licence else "test", metadata)
