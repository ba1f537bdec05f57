"""A float TFLite file as what a writer of another format needs: operators in order, with options and constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit.errors import ModelError
from edgekit.models.tflite import TfliteGraph, TfliteTensor, read_tflite
from edgekit.models.zoo.builders._graph import Array

_ARRAYS = {"float16", "float32", "int32", "int64"}


class Operator(NamedTuple):
    """One operator; ``inputs`` and ``outputs`` are indices of tensors, -1 for one left out."""

    op: str
    name: str
    """Of the first tensor it makes."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    """The schema's options of this operator; None where the file gives none: all are at their defaults."""
    custom_options: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """One graph of static shapes; weights kept as float16 are float32 already."""

    path: Path
    operators: tuple[Operator, ...]
    """Without the DEQUANTIZE of weights."""
    tensors: tuple[TfliteTensor, ...]
    names: tuple[str, ...]
    """Of the tensors, each different."""
    constants: Mapping[int, Array]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def shape(self, index: int) -> tuple[int, ...]:
        return self.tensors[index].shape


def read_source(path: Path) -> Source:
    """Read ``path``; ModelError where it is damaged, or no float model of one graph."""
    content = path.read_bytes()
    graph = read_tflite(path, content)  # checked: every index below is one that exists
    if graph.subgraphs > 1:
        raise ModelError(f"{path}: holds {graph.subgraphs} graphs, not one")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    constants = _constants(model, graph, content)
    operators = []
    for operator, raw in zip(graph.operators, model.subgraphs[0].operators, strict=True):
        if operator.op == "DEQUANTIZE" and operator.inputs[0] in constants:
            constants[operator.outputs[0]] = constants[operator.inputs[0]].astype(np.float32)
            continue
        custom = b"" if raw.customOptions is None else bytes(raw.customOptions)
        operators.append(
            Operator(
                operator.op, operator.name, operator.inputs, operator.outputs, raw.builtinOptions, custom
            )
        )
    return Source(
        path=path,
        operators=tuple(operators),
        tensors=graph.tensors,
        names=_names(graph),
        constants=constants,
        inputs=graph.input_indices,
        outputs=graph.output_indices,
    )


def _constants(model: Any, graph: TfliteGraph, content: bytes) -> dict[int, Array]:
    constants = {}
    for index, (tensor, raw) in enumerate(zip(graph.tensors, model.subgraphs[0].tensors, strict=True)):
        if not tensor.data_bytes or tensor.dtype not in _ARRAYS or tensor.sparse:
            continue  # an operator that reads one of these finds no constant there, and says so
        buffer = model.buffers[raw.buffer]
        outside = buffer.offset > 1  # behind the flatbuffer, as in files of ai-edge-quantizer
        data = content[buffer.offset : buffer.offset + buffer.size] if outside else bytes(buffer.data)
        constants[index] = np.frombuffer(data, np.dtype(tensor.dtype).newbyteorder("<")).reshape(tensor.shape)
    return constants


def _names(graph: TfliteGraph) -> tuple[str, ...]:
    """TFLite lets two tensors have one name, or none."""
    given = [tensor.name for tensor in graph.tensors]
    return tuple(
        name if name and given.count(name) == 1 else f"{name or 'tensor'}_{index}"
        for index, name in enumerate(given)
    )
