"""A TFLite model in object form: read, look around in, change and write again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Operator = Any
"""``OperatorT`` of the generated schema, which has no types."""
Tensor = Any

CHANNELS_LAST = "_channels_last"
"""Ends the name of a tensor that a pass computes in another layout than the one it is called after."""
OPS = {name: code for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
_NAMES = {code: name for name, code in OPS.items()}
DTYPES = {code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


INTEGERS = {"int8": 8, "int16": 16}
"""Of activations that an NPU computes with, and their bits."""


@dataclass(frozen=True)
class Grid:
    """What the integers of a tensor with one scale stand for: ``(q - zero_point) * scale``."""

    scale: float
    zero_point: int
    bits: int = 8

    @property
    def low(self) -> float:
        return (-(1 << self.bits - 1) - self.zero_point) * self.scale

    @property
    def high(self) -> float:
        return ((1 << self.bits - 1) - 1 - self.zero_point) * self.scale


class Graph:
    """The one subgraph of a model; changes are made to it in place."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.main = model.subgraphs[0]

    @classmethod
    def read(cls, path: Path) -> Graph:
        """ValueError where the file holds more than one subgraph: neither TFLM's arena nor Vela's passes know it."""
        content = path.read_bytes()
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        for (
            buffer
        ) in model.buffers:  # LiteRT finds weights behind the flatbuffer, TensorFlow Lite Micro does not
            if buffer.offset > 1:
                data = content[buffer.offset : buffer.offset + buffer.size]
                buffer.data, buffer.offset, buffer.size = np.frombuffer(data, np.uint8), 0, 0
        for graph in model.subgraphs:
            _tell_apart(graph.tensors)
        if len(model.subgraphs) != 1:
            raise ValueError(
                f"{path.name} has {len(model.subgraphs)} subgraphs (control flow); export it without If or While"
            )
        return cls(model)

    def copy(self) -> Graph:
        return Graph(schema.ModelT.InitFromPackedBuf(self.packed(), 0))

    def beginning(self, count: int) -> Graph:
        """A graph of the first ``count`` operators, whose outputs are what they make and do not use."""
        part = self.copy()
        part.main.operators = part.operators[:count]
        part.model.signatureDefs = None
        used = {int(index) for operator in part.main.operators for index in operator.inputs}
        made = [int(index) for operator in part.main.operators for index in operator.outputs]
        part.main.outputs = np.array([index for index in made if index not in used], np.int32)
        return part

    def packed(self) -> bytes:
        """The flatbuffer, weights inside."""
        builder = flatbuffers.Builder()
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @property
    def operators(self) -> list[Operator]:
        return list(self.main.operators)

    def op(self, operator: Operator) -> str:
        """``CONV_2D``; the name of a custom operator."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        name = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        return str(code.customCode.decode() if name == "CUSTOM" else name)

    def is_custom(self, operator: Operator) -> bool:
        return bool(self.model.operatorCodes[operator.opcodeIndex].builtinCode == OPS["CUSTOM"])

    def tensor(self, index: int) -> Tensor:
        return self.main.tensors[index]

    def name(self, operator: Operator) -> str:
        """TFLite names no operators: the name of the first tensor it makes."""
        return str(self.tensor(operator.outputs[0]).name.decode())

    def dtype(self, index: int) -> str:
        return str(DTYPES[self.tensor(index).type])

    def shape(self, index: int) -> list[int]:
        shape = self.tensor(index).shape
        return [] if shape is None else [int(side) for side in shape]

    def grid(self, index: int) -> Grid | None:
        """Of an int8 or int16 tensor with one scale; None for all others."""
        found, bits = self.tensor(index).quantization, INTEGERS.get(self.dtype(index))
        if bits is None or found is None or found.scale is None or len(found.scale) != 1:
            return None
        return Grid(float(found.scale[0]), int(found.zeroPoint[0]), bits)

    def constant(self, index: int) -> np.ndarray[Any, Any] | None:
        """The value of a tensor that is not computed."""
        data = self.model.buffers[self.tensor(index).buffer].data
        if data is None or len(data) == 0:
            return None
        return np.frombuffer(bytes(data), np.dtype(self.dtype(index))).reshape(self.shape(index))

    def maker(self, index: int) -> Operator | None:
        """The operator that computes the tensor."""
        return next((op for op in self.main.operators if index in op.outputs), None)

    def users(self, index: int) -> list[Operator]:
        return [op for op in self.main.operators if index in op.inputs]

    def only_user(self, index: int) -> Operator | None:
        """The one operator that reads the tensor; None where there are more, or the graph hands it out."""
        users = self.users(index)
        return users[0] if len(users) == 1 and index not in self.main.outputs else None

    def add_tensor(self, like: int, *, shape: list[int], suffix: str) -> int:
        """A computed tensor with the type and the scale of ``like``; its index."""
        template = self.tensor(like)
        made = schema.TensorT(
            shape=np.array(shape, np.int32),
            type=template.type,
            buffer=0,
            name=template.name + suffix.encode(),
            quantization=template.quantization,
            hasRank=True,
        )
        self.main.tensors.append(made)
        return len(self.main.tensors) - 1

    def add_constant(self, name: str, value: np.ndarray[Any, np.dtype[np.int32]]) -> int:
        """An int32 constant; its index."""
        self.model.buffers.append(schema.BufferT(data=np.frombuffer(value.tobytes(), np.uint8)))
        made = schema.TensorT(
            shape=np.array(value.shape, np.int32),
            type=schema.TensorType.INT32,
            buffer=len(self.model.buffers) - 1,
            name=name.encode(),
            hasRank=True,
        )
        self.main.tensors.append(made)
        return len(self.main.tensors) - 1

    def code(self, op: str) -> int:
        """The index of an operator code, which is added where it is new."""
        for index, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == OPS[op]:
                return index
        small = min(OPS[op], 127)  # the field of old readers has one byte
        self.model.operatorCodes.append(
            schema.OperatorCodeT(builtinCode=OPS[op], deprecatedBuiltinCode=small, version=1)
        )
        return len(self.model.operatorCodes) - 1

    def replace(self, old: Operator, *new: Operator) -> None:
        """Put ``new`` in the place of ``old``; nothing, to take it out."""
        place = next(index for index, op in enumerate(self.main.operators) if op is old)
        self.main.operators[place : place + 1] = list(new)

    def rename(self, old: int, new: int) -> None:
        """Let the graph's inputs and outputs, also in its signatures, mean ``new`` where they meant ``old``."""
        self.main.inputs = np.array([new if index == old else index for index in self.main.inputs], np.int32)
        self.main.outputs = np.array(
            [new if index == old else index for index in self.main.outputs], np.int32
        )
        for signature in self.model.signatureDefs or []:
            for entry in (*(signature.inputs or []), *(signature.outputs or [])):
                if entry.tensorIndex == old:
                    entry.tensorIndex = new


def simple(graph: Graph, op: str, inputs: list[int], outputs: list[int], like: Operator = None) -> Operator:
    """An operator; its options are those of ``like``."""
    return schema.OperatorT(
        opcodeIndex=graph.code(op),
        inputs=np.array(inputs, np.int32),
        outputs=np.array(outputs, np.int32),
        builtinOptionsType=like.builtinOptionsType if like is not None else 0,
        builtinOptions=like.builtinOptions if like is not None else None,
    )


def _tell_apart(tensors: list[Tensor]) -> None:
    """A quantizer may call two tensors alike; here a name stands for the operator that makes it."""
    seen: dict[bytes, int] = {}
    for tensor in tensors:
        seen[tensor.name] = seen.get(tensor.name, 0) + 1
        if seen[tensor.name] > 1:
            tensor.name += f"_{seen[tensor.name]}".encode()
