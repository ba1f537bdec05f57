"""The normal form: what quantization and every converter start from."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

import onnx

from edgekit.errors import ModelError
from edgekit.models.affine import fold_affine
from edgekit.models.constants import fold_constants, lift_constants
from edgekit.models.files import MAX_FILE_BYTES
from edgekit.models.messages import one_line_errors
from edgekit.models.model import Model
from edgekit.models.opset import raise_opset
from edgekit.models.shapes import free_dimensions
from edgekit.models.tensors import constant_bytes
from edgekit.models.tidy import name_nodes, tidy
from edgekit.models.walk import all_tensors

_NORMAL_FORMS: WeakKeyDictionary[Model, onnx.ModelProto] = WeakKeyDictionary()
"""Facts, refusals and the prepared file all need it; made once for each model that lives."""


def normal_form(model: Model) -> onnx.ModelProto:
    """The model's graph in normal form, but at its own opset and with what is free left free.

    Not to be changed. ModelError where the model's constants cannot be computed.
    """
    if model.proto is None:
        raise ModelError(f"{model.path}: a TFLite model runs as it is; only ONNX models are converted")
    if model not in _NORMAL_FORMS:
        proto = onnx.ModelProto()
        proto.CopyFrom(model.proto)
        _simplify(str(model.path), proto)
        _NORMAL_FORMS[model] = proto
    return _NORMAL_FORMS[model]


@one_line_errors
def prepare_onnx(model: Model, out: Path) -> Path:
    """Write the model's normal form to ``out`` and return it.

    One self-contained file: static input shapes, opset >= 17, weights as initializers, constants computed,
    per-channel scales and shifts folded into convolutions, every node named and in topological order. Input,
    output and node names are the source's. The same model gives the same bytes.
    ModelError where an input dimension is free, an operator is unknown, or the opset cannot be raised.
    """
    if free := free_dimensions(model.inputs):
        raise ModelError(f"{model.path}: {'; '.join(free)}")
    if model.unknown_operators:
        raise ModelError(f"{model.path}: {model.unknown_operators[0]}")
    proto = onnx.ModelProto()
    proto.CopyFrom(normal_form(model))
    raise_opset(str(model.path), proto)
    _simplify(str(model.path), proto)
    content = _serialized(model, proto)
    out.write_bytes(content)
    return out


def _simplify(where: str, proto: onnx.ModelProto) -> None:
    lift_constants(proto.graph)
    tidy(proto.graph)
    fold_constants(where, proto)
    fold_affine(proto.graph)
    name_nodes(proto.graph)


def _serialized(model: Model, proto: onnx.ModelProto) -> bytes:
    # ByteSize would serialize it all once more
    size = sum(constant_bytes(tensor) for tensor in all_tensors(proto))
    if size > MAX_FILE_BYTES:
        raise ModelError(
            f"{model.path}: {size:,} bytes in one file; ONNX files hold at most {MAX_FILE_BYTES:,}"
        )
    return bytes(proto.SerializeToString(deterministic=True))
