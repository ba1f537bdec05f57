"""Small edits of an ONNX graph that several passes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import onnx

from edgekit.models.walk import captured, subgraphs, uses


def set_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Let ``nodes`` be those of ``graph``, in this order."""
    kept = list(nodes)  # protobuf deletes what it drops, so the messages are held first
    del graph.node[:]
    graph.node.extend(kept)


def use_counts(graph: onnx.GraphProto) -> Counter[str]:
    """How often each tensor is used: by nodes, by the graphs inside them, as an output."""
    counts = Counter(value.name for value in graph.output)
    for node in graph.node:
        counts.update(name for name in node.input if name)
        counts.update(captured(node))
    return counts


def rename_uses(nodes: Iterable[onnx.NodeProto], names: dict[str, str]) -> None:
    """Let ``nodes``, and the graphs inside them, use ``names[old]`` wherever they use ``old``."""
    if not names:
        return
    for node in nodes:
        for index, name in enumerate(node.input):
            if name in names:
                node.input[index] = names[name]
        for graph in subgraphs(node):
            rename_uses(graph.node, names)
            for value in graph.output:
                value.name = names.get(value.name, value.name)


def prune(graph: onnx.GraphProto) -> None:
    """Drop nodes whose results nobody uses, then initializers and shapes of tensors that are gone."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= uses(node)
    if len(kept) < len(graph.node):
        set_nodes(graph, reversed(kept))
    made = {name for node in graph.node for name in node.output}
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    values = [value for value in graph.value_info if value.name in made]
    if len(constants) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(constants)
    if len(values) < len(graph.value_info):
        del graph.value_info[:]
        graph.value_info.extend(values)
