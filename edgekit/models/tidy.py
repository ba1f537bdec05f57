"""Take out what does nothing at inference, and give every node a name.

Rules
1. ``Identity`` goes, and so does ``Dropout`` unless it may train: who used its result uses its input. It stays
   where its result is an output of the graph and its input is not made by a node or is an output, too.
2. Nodes whose results nobody uses go, and so do constants and shapes nobody needs.
3. Nodes keep their names. One without gets ``<Op>/<its first output>``; one whose name another node has gets
   ``<name>/<its first output>``.
"""

from __future__ import annotations

from itertools import chain, count

import onnx

from edgekit.models.editing import prune, rename_uses, set_nodes, use_counts
from edgekit.models.walk import DEFAULT_DOMAINS


def tidy(graph: onnx.GraphProto) -> None:
    """Rules 1 and 2."""
    outputs = {value.name for value in graph.output}
    used = use_counts(graph)
    forward: dict[str, str] = {}  # result of a node that goes -> its input
    back: dict[str, str] = {}  # what a node makes -> the graph's output it makes from now on
    kept: list[onnx.NodeProto] = []
    made: set[str] = set()
    for node in graph.node:
        rename_uses([node], forward)
        source, result = (node.input[0], node.output[0]) if _does_nothing(node, used) else ("", "")
        if result and result not in outputs:
            forward[result] = source
        elif result and source in made and source not in outputs and source not in back:
            back[source] = result
        else:
            kept.append(node)
            made.update(node.output)
    _rename_tensors(kept, back)
    if len(kept) < len(graph.node):
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


def _rename_tensors(nodes: list[onnx.NodeProto], names: dict[str, str]) -> None:
    if not names:
        return
    rename_uses(nodes, names)
    for node in nodes:
        for index, name in enumerate(node.output):
            node.output[index] = names.get(name, name)


def name_nodes(graph: onnx.GraphProto) -> None:
    """Rule 3."""
    taken = {node.name for node in graph.node if node.name}
    seen: set[str] = set()
    for node in graph.node:
        if not node.name or node.name in seen:
            base = f"{node.name or node.op_type}/{next(filter(None, node.output), 'none')}"
            numbered = chain([base], (f"{base}/{number}" for number in count(2)))
            node.name = next(name for name in numbered if name not in taken)
            taken.add(node.name)
        seen.add(node.name)
