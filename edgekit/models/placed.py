"""The operators of a model that a runtime has to run, with what decides whether it can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from edgekit.models.dtypes import ONNX_DTYPES
from edgekit.models.facts import GraphFacts
from edgekit.models.model import Model
from edgekit.models.prepare import normal_form
from edgekit.models.structure import operator_problem
from edgekit.models.tflite import TfliteGraph
from edgekit.models.walk import operator_key, subgraphs

_CUSTOM = "a custom operator: the runtime needs its implementation registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOperator:
    """One operator of the normal form, those inside If, Loop and Scan included."""

    node: str
    op: str
    """``domain::Op`` outside the default domain."""
    domain: str
    """Empty for ONNX's default domain and for TFLite."""
    problem: str | None
    """Why no operator set has it."""
    dtypes: frozenset[str]
    """Element types of its inputs and outputs, as far as they are known."""
    macs: int | None


def placed_operators(model: Model, facts: GraphFacts) -> tuple[PlacedOperator, ...]:
    """In running order; ``facts`` are those of ``model``."""
    macs = {layer.name: layer.macs for layer in facts.layers}
    if model.tflite is not None:
        return tuple(_of_tflite(model.tflite, macs))
    form = normal_form(model)
    versions = {entry.domain: entry.version for entry in form.opset_import}
    return tuple(_of_graph(form.graph, {}, versions, macs))


def _of_graph(
    graph: onnx.GraphProto,
    outer: dict[str, str],
    versions: dict[str, int],
    macs: dict[str, int | None],
) -> Iterator[PlacedOperator]:
    dtypes = outer | {tensor.name: ONNX_DTYPES[tensor.data_type][0] for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.elem_type in ONNX_DTYPES:
            dtypes[value.name] = ONNX_DTYPES[value.type.tensor_type.elem_type][0]
    for node in graph.node:
        key = operator_key(node)
        yield PlacedOperator(
            node=node.name,
            op=key,
            domain=key.rpartition("::")[0],
            problem=operator_problem(node, versions),
            dtypes=frozenset(dtypes[name] for name in (*node.input, *node.output) if name in dtypes),
            macs=macs.get(node.name),
        )
        for inner in subgraphs(node):
            yield from _of_graph(inner, dtypes, versions, macs)


def _of_tflite(graph: TfliteGraph, macs: dict[str, int | None]) -> Iterator[PlacedOperator]:
    for operator in graph.operators:
        links = (index for index in (*operator.inputs, *operator.outputs) if index >= 0)
        yield PlacedOperator(
            node=operator.name,
            op=operator.op,
            domain="",
            problem=_CUSTOM if operator.custom else None,
            dtypes=frozenset(graph.tensors[index].dtype for index in links),
            macs=macs.get(operator.name),
        )
