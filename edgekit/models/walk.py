"""Walk an ONNX graph and the graphs inside its nodes (the branches of If, the bodies of Loop and Scan)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

DEFAULT_DOMAINS = ("", "ai.onnx")
CONTRIB_DOMAIN = "com.microsoft"


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs held by ``node`` itself, not those further inside."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """``nodes`` and every node inside them, at any depth."""
    for node in nodes:
        yield node
        for graph in subgraphs(node):
            yield from all_nodes(graph.node)


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """``graph`` and every graph inside it, at any depth."""
    yield graph
    for node in all_nodes(graph.node):
        yield from subgraphs(node)


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every constant of ``model``: initializers and attributes, in subgraphs and functions too."""
    for graph in all_graphs(model.graph):
        yield from graph.initializer
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    for node in all_nodes(nodes):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
    for function in model.functions:
        for node in all_nodes(function.node):
            for graph in subgraphs(node):
                yield from graph.initializer


def captured(node: onnx.NodeProto) -> set[str]:
    """Names that the graphs inside ``node`` take from outside."""
    names: set[str] = set()
    for graph in subgraphs(node):
        made = {value.name for value in (*graph.input, *graph.initializer)}
        for inner in graph.node:
            names |= {name for name in inner.input if name and name not in made}
            names |= captured(inner) - made
            made.update(inner.output)
        names |= {value.name for value in graph.output} - made
    return names


def uses(node: onnx.NodeProto) -> set[str]:
    """Every tensor ``node`` needs: its inputs and what the graphs inside it capture."""
    return {name for name in node.input if name} | captured(node)


def operator_key(node: onnx.NodeProto) -> str:
    """``Op``, or ``domain::Op`` outside the default domain."""
    return node.op_type if node.domain in DEFAULT_DOMAINS else f"{node.domain}::{node.op_type}"


def label(node: onnx.NodeProto) -> str:
    """How a message calls ``node``: by its name, else by what it makes."""
    if node.name:
        return f"node '{node.name}' ({operator_key(node)})"
    outputs = [name for name in node.output if name]
    return (
        f"the {operator_key(node)} node that makes '{outputs[0]}'"
        if outputs
        else f"a {operator_key(node)} node"
    )
