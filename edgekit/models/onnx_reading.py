"""Read an ONNX file of unknown origin: bytes -> a graph that is sound, with its shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from edgekit.errors import ModelError
from edgekit.models.inference import check_and_infer
from edgekit.models.native import run_step
from edgekit.models.shapes import bind_shapes, graph_inputs
from edgekit.models.structure import check_structure, unknown_operators
from edgekit.models.tensors import read_external
from edgekit.models.walk import all_nodes, all_tensors
from edgekit.models.wire import WireError, check_wire

_DAMAGED = "no ONNX model, or damaged (cut off while copying?)"


def parse_onnx(path: Path, content: bytes) -> onnx.ModelProto:
    """The message in ``content``; ModelError where it is not one. External data is not touched."""
    try:
        check_wire(content, onnx.ModelProto.DESCRIPTOR)
        model: onnx.ModelProto = onnx.ModelProto.FromString(content)
    except WireError as error:
        raise ModelError(f"{path}: {_DAMAGED}: {error}; fetch or export it again") from None
    except DecodeError:
        raise ModelError(f"{path}: {_DAMAGED}; fetch or export it again") from None
    if not model.HasField("graph"):
        raise ModelError(f"{path}: {_DAMAGED}: it holds no graph; fetch or export it again")
    return model


def read_onnx(
    path: Path, content: bytes, shapes: Mapping[str, tuple[int, ...]], *, allow_unknown_operators: bool
) -> tuple[onnx.ModelProto, tuple[Path, ...], tuple[str, ...]]:
    """The sound graph, the external files it was read from, and its unknown operators, a line each.

    ModelError for the first thing that is wrong, unknown operators included unless they are allowed.
    """
    where = str(path)
    model = parse_onnx(path, content)
    files = read_external(path, all_tensors(model))
    check_structure(where, model)
    unknown = unknown_operators(model)
    if unknown and not allow_unknown_operators:
        more = f" (and {len(unknown) - 1} more such operators)" if len(unknown) > 1 else ""
        raise ModelError(f"{where}: {unknown[0]}{more}")
    model = _inlined(where, model)
    _drop_listed_constants(model)
    _write_defaults(model)
    if bind_shapes(where, model.graph, shapes):
        del model.graph.value_info[:]  # said of free dimensions, which are bound now
    check_and_infer(where, model)
    return model, files, unknown


def _inlined(where: str, model: onnx.ModelProto) -> onnx.ModelProto:
    if not model.functions:
        return model
    answer = run_step(where, "inline", model.SerializeToString())
    if not answer.ok:
        raise ModelError(f"{where}: its functions cannot be inlined: {answer.reason}")
    inlined: onnx.ModelProto = onnx.ModelProto.FromString(answer.content)
    check_structure(where, inlined)
    return inlined


def _write_defaults(model: onnx.ModelProto) -> None:
    """onnx's inference stumbles over the one operator whose definition uses an attribute that is left out."""
    for node in all_nodes(model.graph.node):
        if node.op_type == "MeanVarianceNormalization" and not node.attribute:
            node.attribute.append(onnx.helper.make_attribute("axes", [0, 2, 3]))


def _drop_listed_constants(model: onnx.ModelProto) -> None:
    """Before IR version 4 every initializer was listed as an input, too."""
    inputs = graph_inputs(model.graph)
    if len(inputs) < len(model.graph.input):
        kept = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in inputs]
        del model.graph.input[:]
        model.graph.input.extend(kept)
        model.ir_version = max(model.ir_version, 4)
