"""Small .tflite files, written with the schema that comes with the runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

Array = npt.NDArray[Any]
SCALE, ZERO_POINT = 0.05, 3
"""Of the 8-bit input and output."""


def dense_net(*, int8: bool = False, layers: int = 2, width: int = 8, gain: float = 1.0) -> bytes:
    """Dense layers with ReLU and a logistic at the end; ``int8``: 8-bit input and output around them.

    ``gain``: standard deviation of the weights.
    """
    net = _Net()
    random = np.random.default_rng(3)
    last = net.tensor("image", (1, width), int8=int8)
    net.inputs = [last]
    if int8:
        last = net.operator(schema.BuiltinOperator.DEQUANTIZE, [last], "image_float", (1, width))
    for layer in range(layers):
        weights = net.constant(
            f"w{layer}", (gain * random.standard_normal((width, width))).astype(np.float32)
        )
        bias = net.constant(f"b{layer}", random.standard_normal(width).astype(np.float32))
        last = net.operator(
            schema.BuiltinOperator.FULLY_CONNECTED, [last, weights, bias], f"dense{layer}", (1, width)
        )
    last = net.operator(
        schema.BuiltinOperator.LOGISTIC, [last], "scores_float" if int8 else "scores", (1, width)
    )
    if int8:
        last = net.operator(schema.BuiltinOperator.QUANTIZE, [last], "scores", (1, width), int8=True)
    net.outputs = [last]
    return net.serialize()


class _Net:
    def __init__(self) -> None:
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[int] = []
        self._buffers = [schema.BufferT()]

    def tensor(self, name: str, shape: Sequence[int], *, int8: bool = False, buffer: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
        tensor.type = schema.TensorType.INT8 if int8 else schema.TensorType.FLOAT32
        if int8:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [SCALE], [ZERO_POINT]
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def constant(self, name: str, value: Array) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        self._buffers.append(buffer)
        return self.tensor(name, value.shape, buffer=len(self._buffers) - 1)

    def operator(
        self, code: int, inputs: list[int], name: str, shape: Sequence[int], *, int8: bool = False
    ) -> int:
        output = self.tensor(name, shape, int8=int8)
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = inputs, [output]
        if code not in self._codes:
            self._codes.append(code)
        operator.opcodeIndex = self._codes.index(code)
        if code == schema.BuiltinOperator.FULLY_CONNECTED:
            operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
            operator.builtinOptions = schema.FullyConnectedOptionsT()
            operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
        self._operators.append(operator)
        return output

    def serialize(self) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs, graph.name = self.inputs, self.outputs, "main"
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers, model.description = 3, [graph], self._buffers, "test"
        model.operatorCodes = [self._code(code) for code in self._codes]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @staticmethod
    def _code(code: int) -> Any:
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), 1
        return entry
