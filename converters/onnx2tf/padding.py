"""pad-constant-concats: a Concat of a map and constants of one value becomes a Pad.

Of some, onnx2tf 2.6 writes a Concat of the map as it was before a change of layout, which nothing makes any more
("Input tensor N lacks data" when the file runs). Networks that widen a residual branch with zeros are made that way
(BlazeFace).

1. A Concat of one computed tensor and float constants before or behind it, all of one value: initializers, or a
   ConstantOfShape of a constant shape.
2. Kept as it is where two inputs are computed, or a constant has several values.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper


def pad_constant_concats(model: onnx.ModelProto) -> list[str]:
    """Rewrite them in place; names of the nodes that are a Pad now."""
    graph = model.graph
    known = onnx.shape_inference.infer_shapes(model).graph
    values = (*known.value_info, *known.input, *known.output)
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in values}
    filled = _filled(graph)
    changed = []
    for place, node in enumerate(graph.node):
        pad = _pad(node, filled, ranks, graph) if node.op_type == "Concat" else None
        if pad is not None:
            graph.node[place].CopyFrom(pad)
            changed.append(node.name)
    return changed


def _filled(graph: onnx.GraphProto) -> dict[str, tuple[tuple[int, ...], float]]:
    """Shape and value of the float constants that hold one value alone."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = {
        name: (value.shape, float(value.flat[0]))
        for name, value in constants.items()
        if value.dtype == np.float32 and value.size and value.ndim and (value == value.flat[0]).all()
    }
    for node in graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in constants:
            given = next(
                (numpy_helper.to_array(item.t) for item in node.attribute if item.name == "value"), None
            )
            value = np.zeros(1, np.float32) if given is None else given
            if value.dtype == np.float32:
                found[node.output[0]] = tuple(int(side) for side in constants[node.input[0]]), float(value[0])
    return found


def _pad(
    node: onnx.NodeProto,
    filled: dict[str, tuple[tuple[int, ...], float]],
    ranks: dict[str, int],
    graph: onnx.GraphProto,
) -> onnx.NodeProto | None:
    computed = [place for place, name in enumerate(node.input) if name not in filled]
    if len(computed) != 1 or len(node.input) < 2:
        return None
    (middle,) = computed
    values = {filled[name][1] for name in node.input if name in filled}
    rank = ranks.get(node.input[middle])
    if len(values) != 1 or rank is None:
        return None
    axis = next(item.i for item in node.attribute if item.name == "axis") % rank
    pads = np.zeros((2, rank), np.int64)
    for place, name in enumerate(node.input):
        if place != middle:
            pads[int(place > middle), axis] += filled[name][0][axis]
    where, what = f"{node.output[0]}/pads", f"{node.output[0]}/value"
    graph.initializer.append(numpy_helper.from_array(pads.reshape(-1), where))
    graph.initializer.append(numpy_helper.from_array(np.array(values.pop(), np.float32), what))
    return helper.make_node("Pad", [node.input[middle], where, what], list(node.output), node.name)
