"""Raise a graph to opset 17, the least that all converters take."""

from __future__ import annotations

import onnx

from edgekit.errors import ModelError
from edgekit.models.inference import check_and_infer, without_weights
from edgekit.models.native import run_step
from edgekit.models.structure import opset_of

TARGET_OPSET = 17
_IR_OF_TARGET = 8


def raise_opset(where: str, model: onnx.ModelProto) -> None:
    """Bring ``model`` to opset 17 unless it is there or beyond; ModelError naming what cannot be brought there."""
    old = opset_of(model)
    assert old is not None, "checked when it was read"
    if old >= TARGET_OPSET:
        return
    answer = run_step(where, "upgrade", without_weights(model).SerializeToString())
    if not answer.ok:
        raise ModelError(f"{where}: opset {old} cannot be raised to {TARGET_OPSET}: {answer.reason}")
    raised = onnx.ModelProto.FromString(answer.content)
    _take_graph(model, raised)
    check_and_infer(where, model)


def _take_graph(model: onnx.ModelProto, raised: onnx.ModelProto) -> None:
    """Nodes and small constants of ``raised``; weights, inputs and outputs stay those of ``model``."""
    made = {tensor.name for tensor in raised.graph.initializer}
    weights = [tensor for tensor in model.graph.initializer if tensor.name not in made]
    for field, items in (("initializer", weights), ("node", []), ("value_info", [])):
        del getattr(model.graph, field)[:]
        getattr(model.graph, field).extend(items)
    model.graph.initializer.extend(raised.graph.initializer)
    model.graph.node.extend(raised.graph.node)
    del model.opset_import[:]
    model.opset_import.extend(raised.opset_import)
    model.ir_version = max(model.ir_version, _IR_OF_TARGET)
