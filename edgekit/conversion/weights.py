"""Read off an artifact how its weights are stored, whatever its converter says."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx

    from edgekit.vocabulary import ArtifactFormat

_OPENVINO_DTYPES = {
    "f32": "float32", "f16": "float16", "i8": "int8", "u8": "uint8", "i4": "int4", "u4": "uint4",
    "i32": "int32", "i64": "int64", "boolean": "bool",
}  # fmt: skip

_BLOCKWISE = ("MatMulNBits", "GatherBlockQuantized")


def stored_weights(path: Path, artifact_format: ArtifactFormat) -> Mapping[str, int] | None:
    """Elements of the constants of rank 2 and more, by the dtype they are stored in.

    None for formats that only their vendor's tools can read.
    """
    match artifact_format:
        case "onnx":
            return _count(_onnx_weights(path))
        case "ort":
            return _count(_ort_weights(path))
        case "openvino-ir":
            return _count(_openvino_weights(path))
        case "tflite":
            return _count(_tflite_weights(path))
        case _:
            return None


def narrow_elements(stored: Mapping[str, int]) -> int:
    """How many of them are stored in 8 bits or less."""
    return sum(stored.get(dtype, 0) for dtype in ("int8", "uint8", "int4", "uint4"))


def _count(weights: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, int]:
    elements: Counter[str] = Counter()
    for dtype, shape in weights:
        if len(shape) >= 2:
            elements[dtype] += math.prod(shape)
    return dict(elements)


def _onnx_weights(path: Path) -> Iterable[tuple[str, tuple[int, ...]]]:
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    yield from _packed(graph)
    # counted above, or scales and zero points, which are no weights; a table of 8 bits is the first input
    told = {name for node in graph.node if node.op_type in _BLOCKWISE for name in node.input[1:]}
    for tensor in (*graph.initializer, *_constant_nodes(graph)):
        if tensor.name in told:
            continue
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).name
        yield dtype, tuple(tensor.dims)


def _packed(graph: onnx.GraphProto) -> Iterable[tuple[str, tuple[int, ...]]]:
    """Matrices of MatMulNBits, each once: their bytes hold two weights each, and padding."""
    seen = set()
    for node in graph.node:
        if node.op_type == "MatMulNBits" and node.input[1] not in seen:
            seen.add(node.input[1])
            given = {attribute.name: attribute.i for attribute in node.attribute}
            yield f"int{given.get('bits', 4)}", (given["K"], given["N"])


def _constant_nodes(graph: onnx.GraphProto) -> Iterable[onnx.TensorProto]:
    for node in graph.node:
        if node.op_type == "Constant":
            yield from (attribute.t for attribute in node.attribute if attribute.name == "value")


def _ort_weights(path: Path) -> Iterable[tuple[str, tuple[int, ...]]]:
    """onnxruntime brings the readers of its own format along; constants are initializers there."""
    import onnx
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import InferenceSession

    graph = InferenceSession.GetRootAs(path.read_bytes(), 0).Model().Graph()
    for index in range(graph.InitializersLength()):
        tensor = graph.Initializers(index)
        # its element types are numbered as ONNX numbers them
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.DataType()).name
        yield dtype, tuple(tensor.Dims(axis) for axis in range(tensor.DimsLength()))


def _openvino_weights(path: Path) -> Iterable[tuple[str, tuple[int, ...]]]:
    # written by edgekit's own worker a moment ago
    for layer in ElementTree.parse(path).iter("layer"):
        data = layer.find("data")
        if layer.get("type") == "Const" and data is not None:
            shape = [int(size) for size in (data.get("shape") or "").split(",") if size.strip()]
            dtype = data.get("element_type", "")
            yield _OPENVINO_DTYPES.get(dtype, dtype), tuple(shape)


def _tflite_weights(path: Path) -> Iterable[tuple[str, tuple[int, ...]]]:
    from ai_edge_litert import schema_py_generated as schema

    names = {
        number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)
    }
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            buffer = model.buffers[tensor.buffer]
            # buffers of large models lie behind the flatbuffer, at ``offset``
            if buffer.data is not None or buffer.offset:
                yield names[tensor.type], tuple(int(size) for size in tensor.shape)
