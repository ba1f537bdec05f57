"""Take out what does nothing at inference, and give every node a name.

Rules
1. ``Identity`` goes, and so does ``Dropout`` unless it may train: who used its result uses its input. It stays
   where its result is an output of the graph and its input is not made by a node or is an output, too.
2. Nodes whose results nobody uses go, and so do constants and shapes nobody needs.
3. Nodes keep their names. One without gets ``<Op>/<its first output>``; one whose name another node has gets
   ``<name>/<its first output>``.
"""

from __future__ import annotations

import onnx

from edgekit.models.editing import prune, rename_uses, set_nodes, use_counts
from edgekit.models.walk import DEFAULT_DOMAINS


def tidy(graph: onnx.GraphProto) -> None:
    """Rules 1 and 2."""
    kept: list[onnx.NodeProto] = []
    outputs = {value.name for value in graph.output}
    used = use_counts(graph)
    nodes = list(graph.node)
    for index, node in enumerate(nodes):
        if not _does_nothing(node, used):
            kept.append(node)
        elif node.output[0] not in outputs:
            rename_uses(nodes[index + 1 :], {node.output[0]: node.input[0]})
        elif not _rename_at_source(kept, node, outputs, nodes[index + 1 :]):
            kept.append(node)
    if len(kept) < len(nodes):
        set_nodes(graph, kept)
    prune(graph)


def _does_nothing(node: onnx.NodeProto, used: dict[str, int]) -> bool:
    if node.domain not in DEFAULT_DOMAINS:
        return False
    if node.op_type == "Identity":
        return True
    # a third input may switch training on; the second output is the mask
    trains = len(node.input) > 2 and node.input[2]
    return node.op_type == "Dropout" and not trains and not any(used.get(name) for name in node.output[1:])


def _rename_at_source(
    before: list[onnx.NodeProto], node: onnx.NodeProto, outputs: set[str], after: list[onnx.NodeProto]
) -> bool:
    """Let the maker of the node's input make the graph's output itself; False where it cannot."""
    old, new = node.input[0], node.output[0]
    maker = next((made for made in before if old in made.output), None)
    if maker is None or old in outputs:
        return False
    maker.output[list(maker.output).index(old)] = new
    rename_uses([*before, *after], {old: new})
    return True


def name_nodes(graph: onnx.GraphProto) -> None:
    """Rule 3."""
    taken = {node.name for node in graph.node if node.name}
    seen: set[str] = set()
    for node in graph.node:
        if not node.name or node.name in seen:
            base = f"{node.name or node.op_type}/{next(filter(None, node.output), 'none')}"
            node.name = next(name for name in _numbered(base) if name not in taken)
            taken.add(node.name)
        seen.add(node.name)


def _numbered(base: str) -> list[str]:
    return [base, *(f"{base}/{number}" for number in range(2, 1000))]
