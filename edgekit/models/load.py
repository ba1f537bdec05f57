"""Load a model file, ONNX or TFLite, from anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import ModelError
from edgekit.models.files import read_model_file
from edgekit.models.licence import find_licence
from edgekit.models.messages import one_line_errors
from edgekit.models.model import Model
from edgekit.models.onnx_reading import read_onnx
from edgekit.models.quantized import onnx_quantization, tflite_quantization
from edgekit.models.shapes import specs_of
from edgekit.models.structure import opset_of
from edgekit.models.tflite import TFLITE_IDENTIFIER, read_tflite


@one_line_errors
def load_model(
    path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None, *, allow_unknown_operators: bool = False
) -> Model:
    """Read ``path`` and the external data beside it; write nothing.

    ``shapes`` fix free input dimensions; the batch is 1 unless given. Files of any origin are safe to give:
    ModelError, one line, for whatever is wrong. ``allow_unknown_operators`` is for looking at a model only.
    """
    content = read_model_file(path)
    if content[4:8] == TFLITE_IDENTIFIER:
        return _load_tflite(path, content, shapes or {})
    if path.suffix == ".tflite":
        raise ModelError(f"{path}: no TFLite model, or damaged: it does not begin as one; fetch it again")
    return _load_onnx(path, content, shapes or {}, allow_unknown_operators)


def _load_onnx(
    path: Path, content: bytes, shapes: Mapping[str, tuple[int, ...]], allow_unknown_operators: bool
) -> Model:
    proto, files, unknown = read_onnx(path, content, shapes, allow_unknown_operators=allow_unknown_operators)
    return Model(
        path=path,
        name=path.stem,
        format="onnx",
        sha256=_digest(path, content, files),
        size_bytes=len(content) + sum(file.stat().st_size for file in files),
        inputs=specs_of(proto.graph.input),
        outputs=specs_of(proto.graph.output),
        opset=opset_of(proto),
        licence=find_licence(path, proto),
        quantization=onnx_quantization(proto),
        external_files=files,
        shapes=dict(shapes),
        unknown_operators=unknown,
        proto=proto,
    )


def _load_tflite(path: Path, content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Model:
    graph = read_tflite(path, content)
    for name, shape in shapes.items():
        own = next((spec.shape for spec in graph.inputs if spec.name == name), None)
        if own != shape:
            raise ModelError(
                f"{path}: --shape {name}: a TFLite model keeps the shapes it was converted with "
                f"({', '.join(f'{spec.name}: {spec.shape}' for spec in graph.inputs)})"
            )
    return Model(
        path=path,
        name=path.stem,
        format="tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        inputs=graph.inputs,
        outputs=graph.outputs,
        opset=None,
        licence=find_licence(path, graph),
        quantization=tflite_quantization(graph),
        shapes=dict(shapes),
        tflite=graph,
    )


def _digest(path: Path, content: bytes, files: tuple[Path, ...]) -> str:
    """Of the file alone; with external files, of its digest and each one's, so that every byte counts."""
    own = hashlib.sha256(content)
    if not files:
        return own.hexdigest()
    together = hashlib.sha256(own.digest())
    for file in files:
        with file.open("rb") as stream:
            together.update(file.relative_to(path.parent.resolve()).as_posix().encode() + b"\0")
            together.update(hashlib.file_digest(stream, "sha256").digest())
    return together.hexdigest()
