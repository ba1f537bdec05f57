"""channels-last-mean: a MEAN over the two last axes of a transposed tensor reduces the tensor as it was before.

A converter that keeps a source's layout writes TRANSPOSE to channels first, RELU, MEAN over axes 2 and 3. To the NPU
that is a reduction over its innermost axis, the depth, which it has no operator for; the same sums over axes 1 and 2
of the channels-last tensor are a pooling.

1. TRANSPOSE (0, 3, 1, 2), then any number of RELU, RELU6, RELU_0_TO_1 or RELU_N1_TO_1, then MEAN over axes 2 and 3 that
   keeps its sides: each is read by the next alone.
2. The clamps are computed channels last, then MEAN over axes 1 and 2; a RESHAPE gives the sides their old order, which
   moves nothing because two of them are 1.
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_graph import CHANNELS_LAST, Graph, Operator, simple

CLAMPS = {"RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1"}
TO_CHANNELS_FIRST = [0, 3, 1, 2]


def channels_last_mean(graph: Graph) -> list[str]:
    """Names of the means that are computed channels last now."""
    means = [operator for operator in graph.operators if graph.op(operator) == "MEAN"]
    return [graph.name(mean) for mean in means if _turned(graph, mean)]


def _turned(graph: Graph, mean: Operator) -> bool:
    axes = graph.constant(int(mean.inputs[1]))
    kept = mean.builtinOptions is not None and mean.builtinOptions.keepDims
    if axes is None or sorted(axes.ravel().tolist()) != [2, 3] or not kept:
        return False
    way = _way_to_transpose(graph, mean)
    if way is None:
        return False
    transpose, *clamps = way
    graph.replace(transpose)
    inner = int(transpose.inputs[0])
    for clamp in clamps:
        out = int(clamp.outputs[0])
        turned = graph.add_tensor(out, shape=_channels_last(graph.shape(out)), suffix=CHANNELS_LAST)
        graph.replace(clamp, simple(graph, graph.op(clamp), [inner], [turned], like=clamp))
        inner = turned
    out = int(mean.outputs[0])
    name = graph.tensor(out).name.decode()
    pooled = graph.add_tensor(out, shape=_channels_last(graph.shape(out)), suffix=CHANNELS_LAST)
    over = graph.add_constant(f"{name}_axes", np.array([1, 2], np.int32))
    sides = np.array(graph.shape(out), np.int32)
    graph.replace(
        mean,
        simple(graph, "MEAN", [inner, over], [pooled], like=mean),
        _reshape(graph, pooled, out, graph.add_constant(f"{name}_shape", sides), sides),
    )
    return True


def _way_to_transpose(graph: Graph, mean: Operator) -> list[Operator] | None:
    """TRANSPOSE and clamps before ``mean``, in the order they run."""
    way: list[Operator] = []
    reader, source = mean, int(mean.inputs[0])
    while graph.only_user(source) is reader and (maker := graph.maker(source)) is not None:
        way.insert(0, maker)
        if graph.op(maker) == "TRANSPOSE":
            order = graph.constant(int(maker.inputs[1]))
            return way if order is not None and order.tolist() == TO_CHANNELS_FIRST else None
        if graph.op(maker) not in CLAMPS:
            return None
        reader, source = maker, int(maker.inputs[0])
    return None


def _channels_last(shape: list[int]) -> list[int]:
    batch, channels, height, width = shape
    return [batch, height, width, channels]


def _reshape(
    graph: Graph, source: int, out: int, shape: int, sides: np.ndarray[tuple[int], np.dtype[np.int32]]
) -> Operator:
    made = simple(graph, "RESHAPE", [source, shape], [out])
    made.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    made.builtinOptions = schema.ReshapeOptionsT(newShape=sides)
    return made
