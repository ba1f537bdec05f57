"""Read a TFLite file of unknown origin: bytes -> its main graph, checked, without native code."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgekit.errors import ModelError
from edgekit.models.dtypes import TFLITE_DTYPES, packed_bytes
from edgekit.models.model import TensorSpec
from edgekit.models.tensors import shape_problem

TFLITE_IDENTIFIER = b"TFL3"
MAX_ITEMS = 2_000_000
"""Tensors, operators and their links; entries of a damaged file can all point to one long list."""
_CUSTOM = schema.BuiltinOperator.CUSTOM
_RANKS = {
    "BATCH_MATMUL": (2, 2),
    "CONV_2D": (4, 4),
    "CONV_3D": (5, 5),
    "DEPTHWISE_CONV_2D": (4, 4),
    "FULLY_CONNECTED": (0, 2),
    "TRANSPOSE_CONV": (0, 4, 4),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (3,),
}
"""Least number of sides of the inputs of matrix operators; 0 for any."""


@dataclass(frozen=True, slots=True)
class TfliteTensor:
    name: str
    shape: tuple[int, ...]
    dtype: str
    bits: int
    data_bytes: int
    """Length of its constant data; 0 for what is computed."""
    quantized: bool
    """Has a scale."""
    variable: bool
    """State that lives from one inference to the next."""
    sparse: bool = False


@dataclass(frozen=True, slots=True)
class TfliteOperator:
    name: str
    """TFLite names no operators: the name of the first tensor it makes."""
    op: str
    custom: bool
    inputs: tuple[int, ...]
    """Indices of tensors; -1 for one left out."""
    outputs: tuple[int, ...]
    transposed: bool = False
    """BATCH_MATMUL only: the left side is transposed."""
    dilation: int = 1
    """CONV_2D and DEPTHWISE_CONV_2D only: how far apart the window's positions lie."""


@dataclass(frozen=True, slots=True)
class TfliteGraph:
    tensors: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]
    """In the order in which they run."""
    input_indices: tuple[int, ...]
    output_indices: tuple[int, ...]
    subgraphs: int
    description: str
    metadata_licence: str | None

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(self._spec(index) for index in self.input_indices)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(self._spec(index) for index in self.output_indices)

    def _spec(self, index: int) -> TensorSpec:
        tensor = self.tensors[index]
        return TensorSpec(tensor.name, tensor.shape, tensor.dtype)


def read_tflite(path: Path, content: bytes) -> TfliteGraph:
    """The main graph of ``content``; ModelError where it is damaged or not sound."""
    try:
        graph = _Reader(content).graph()
    except (struct.error, IndexError, ValueError, TypeError, OverflowError) as error:
        # what the generated readers raise where an offset points outside the file
        raise ModelError(f"{path}: no TFLite model, or damaged: {error}; fetch or convert it again") from None
    for problem in _problems(graph):
        raise ModelError(f"{path}: {problem}")
    return graph


class _Reader:
    """Reads field by field, and gives up after ``MAX_ITEMS``."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._model = schema.Model.GetRootAs(content, 0)
        self._items = 0

    def graph(self) -> TfliteGraph:
        if self._model.SubgraphsLength() < 1:
            raise ValueError("it holds no graph")
        main = self._model.Subgraphs(0)
        tensors = tuple(self._tensor(main.Tensors(index)) for index in self._each(main.TensorsLength()))
        operators = tuple(
            self._operator(main.Operators(index), tensors) for index in self._each(main.OperatorsLength())
        )
        return TfliteGraph(
            tensors=tensors,
            operators=operators,
            input_indices=self._list(main.Inputs, main.InputsLength()),
            output_indices=self._list(main.Outputs, main.OutputsLength()),
            subgraphs=self._model.SubgraphsLength(),
            description=_text(self._model.Description()),
            metadata_licence=self._metadata_licence(),
        )

    def _each(self, length: int) -> range:
        self._items += length
        if self._items > MAX_ITEMS:
            raise ValueError(f"more than {MAX_ITEMS:,} entries: no graph of operators is that large")
        return range(length)

    def _list(self, item: Any, length: int) -> tuple[int, ...]:
        return tuple(int(item(index)) for index in self._each(length))

    def _tensor(self, tensor: Any) -> TfliteTensor:
        if tensor.Type() not in TFLITE_DTYPES:
            raise ValueError(f"element type {tensor.Type()} is unknown")
        dtype, bits = TFLITE_DTYPES[tensor.Type()]
        quantization = tensor.Quantization()
        return TfliteTensor(
            name=_text(tensor.Name()),
            shape=self._list(tensor.Shape, tensor.ShapeLength()),
            dtype=dtype,
            bits=bits,
            data_bytes=self._data_bytes(tensor.Buffer()),
            quantized=quantization is not None and quantization.ScaleLength() > 0,
            variable=bool(tensor.IsVariable()),
            sparse=tensor.Sparsity() is not None,
        )

    def _data_bytes(self, index: int) -> int:
        if index >= self._model.BuffersLength():
            raise ValueError(f"a tensor names buffer {index}, there are {self._model.BuffersLength()}")
        buffer = self._model.Buffers(index)
        # data behind the flatbuffer: in files beyond 2 GiB, and where ai-edge-quantizer wrote more than a few KB
        if buffer.Offset() > 1:
            if buffer.Offset() + buffer.Size() > len(self._content):
                raise ValueError(f"buffer {index} ends past the end of the file")
            return int(buffer.Size())
        length = int(buffer.DataLength())
        if length > len(self._content):
            raise ValueError(f"buffer {index} is longer than the file")
        return length

    def _operator(self, operator: Any, tensors: tuple[TfliteTensor, ...]) -> TfliteOperator:
        if operator.OpcodeIndex() >= self._model.OperatorCodesLength():
            raise ValueError(f"an operator names code {operator.OpcodeIndex()}, which is absent")
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        outputs = self._list(operator.Outputs, operator.OutputsLength())
        first = next((tensors[index].name for index in outputs if 0 <= index < len(tensors)), "")
        return TfliteOperator(
            name=first,
            op=_text(code.CustomCode()) or "CUSTOM" if builtin == _CUSTOM else _builtin_name(builtin),
            custom=builtin == _CUSTOM,
            inputs=self._list(operator.Inputs, operator.InputsLength()),
            outputs=outputs,
            transposed=builtin == schema.BuiltinOperator.BATCH_MATMUL and _adj_x(operator),
            dilation=_dilation(operator),
        )

    def _metadata_licence(self) -> str | None:
        """The licence of TFLite's own metadata table, whose schema is not among the generated readers."""
        for index in self._each(self._model.MetadataLength()):
            entry = self._model.Metadata(index)
            if _text(entry.Name()) == "TFLITE_METADATA" and entry.Buffer() < self._model.BuffersLength():
                data = self._model.Buffers(entry.Buffer()).DataAsNumpy()
                return _licence_field(data.tobytes()) if not isinstance(data, int) else None
        return None


def _problems(graph: TfliteGraph) -> Iterator[str]:
    if not graph.operators:
        yield "the graph has no operators"
    if not graph.output_indices:
        yield "the graph has no outputs"
    for tensor in graph.tensors:
        if problem := _tensor_problem(tensor):
            yield f"tensor '{tensor.name}': {problem}"
    count = len(graph.tensors)
    known = {index for index, tensor in enumerate(graph.tensors) if _is_given(tensor)} | set(
        graph.input_indices
    )
    made: set[int] = set()
    for operator in graph.operators:
        links = (*operator.inputs, *operator.outputs)
        if any(not -1 <= index < count for index in links):
            yield f"operator {operator.op} that makes '{operator.name}' names a tensor that is absent"
        elif missing := [index for index in operator.inputs if index >= 0 and index not in known]:
            name = graph.tensors[missing[0]].name
            yield f"operator {operator.op} uses tensor '{name}', which nothing before it makes"
        elif problem := _rank_problem(graph, operator):
            yield f"operator {operator.op} that makes '{operator.name}' {problem}"
        elif made & set(operator.outputs):
            yield f"two operators make the tensor '{operator.name}'"
        made.update(operator.outputs)
        known.update(operator.outputs)
    for index in (*graph.input_indices, *graph.output_indices):
        if not 0 <= index < count or index not in known:
            yield f"an input or output of the graph is tensor {index}, which is absent or made by nothing"


def _rank_problem(graph: TfliteGraph, operator: TfliteOperator) -> str | None:
    """What a matrix operator lacks that its MACs are counted by; LiteRT itself refuses such files, too."""
    ranks = _RANKS.get(operator.op, ()) if not operator.custom else ()
    if len(operator.inputs) < len(ranks) or (ranks and not operator.outputs):
        return f"has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
    for rank, index in zip(ranks, operator.inputs, strict=False):
        if rank and (index < 0 or len(graph.tensors[index].shape) < rank):
            return f"needs an input of {rank} dimensions"
    return None


def _is_given(tensor: TfliteTensor) -> bool:
    return tensor.data_bytes > 0 or tensor.variable or 0 in tensor.shape or tensor.dtype == "resource"


def _tensor_problem(tensor: TfliteTensor) -> str | None:
    if problem := shape_problem(tensor.shape):
        return problem
    wanted = packed_bytes(tensor.shape, tensor.bits)
    measurable = tensor.dtype not in ("string", "resource", "variant") and not tensor.sparse
    if tensor.data_bytes and measurable and tensor.data_bytes != wanted:
        return f"it holds {tensor.data_bytes:,} bytes, but its shape {list(tensor.shape)} needs {wanted:,}"
    return None


def _text(value: bytes | None) -> str:
    return value.decode() if value else ""


@cache
def _builtin_names() -> dict[int, str]:
    return {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}


def _builtin_name(code: int) -> str:
    if code not in _builtin_names():
        raise ValueError(f"builtin operator {code} is newer than this version of edgekit's LiteRT")
    return _builtin_names()[code]


_WINDOWS = {
    schema.BuiltinOptions.Conv2DOptions: schema.Conv2DOptions,
    schema.BuiltinOptions.DepthwiseConv2DOptions: schema.DepthwiseConv2DOptions,
}


def _dilation(operator: Any) -> int:
    table, kind = operator.BuiltinOptions(), _WINDOWS.get(operator.BuiltinOptionsType())
    if table is None or kind is None:
        return 1
    options = kind()
    options.Init(table.Bytes, table.Pos)
    return int(max(options.DilationHFactor(), options.DilationWFactor()))


def _adj_x(operator: Any) -> bool:
    table = operator.BuiltinOptions()
    if table is None or operator.BuiltinOptionsType() != schema.BuiltinOptions.BatchMatMulOptions:
        return False
    options = schema.BatchMatMulOptions()
    options.Init(table.Bytes, table.Pos)
    return bool(options.AdjX())


_LICENCE_SLOT = 4 + 2 * 5
"""``ModelMetadata.license`` is the sixth field of its table (tflite-support, metadata_schema.fbs)."""


def _licence_field(data: bytes) -> str | None:
    (root,) = struct.unpack_from("<I", data, 0)
    (to_vtable,) = struct.unpack_from("<i", data, root)
    vtable = root - to_vtable
    (vtable_bytes,) = struct.unpack_from("<H", data, vtable)
    if vtable_bytes <= _LICENCE_SLOT:
        return None
    (offset,) = struct.unpack_from("<H", data, vtable + _LICENCE_SLOT)
    if not offset:
        return None
    (to_text,) = struct.unpack_from("<I", data, root + offset)
    start = root + offset + to_text
    (length,) = struct.unpack_from("<I", data, start)
    return data[start + 4 : start + 4 + length].decode() or None
