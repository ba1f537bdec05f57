"""integer-clamp: DEQUANTIZE, a clamp in float, QUANTIZE become one QUANTIZE from int8 to int8.

A quantizer that has no rule for RELU_0_TO_1 (the clamp of a hard sigmoid) leaves it in float between two conversions:
three operators on the CPU, and TensorFlow Lite Micro has no kernel for this one at all. Where the integers after it
reach no further than the clamp does, saturation is the clamp.

1. RELU_0_TO_1, RELU, RELU6 and RELU_N1_TO_1 between a DEQUANTIZE and QUANTIZE to int8, one for each scale that is wanted.
2. Integers of 16 bits have a zero point of zero and reach below zero: of a clamp that begins there, a RELU behind the
   QUANTIZE takes that part.
3. Kept as it is where the integers after it reach further than half a step beyond the clamp.
"""

from __future__ import annotations

import math

from tflite_graph import Graph, Operator, simple

from passes.islands import island

BOUNDS = {
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def integer_clamp(graph: Graph) -> list[str]:
    """Names of the clamps that are QUANTIZE now."""
    clamps = [operator for operator in graph.operators if graph.op(operator) in BOUNDS]
    return [graph.name(clamp) for clamp in clamps if _replaced(graph, clamp)]


def _replaced(graph: Graph, clamp: Operator) -> bool:
    around = island(graph, clamp)
    if around is None:
        return False
    low, high = BOUNDS[graph.op(clamp)]
    signed = low == 0 and all(grid.bits == 16 for grid in around.grids)
    if any(
        (grid.low < low - grid.scale / 2 and not signed) or grid.high > high + grid.scale / 2
        for grid in around.grids
    ):
        return False
    like = around.afters[0]

    def integer(source: int, made: int) -> list[Operator]:
        if not signed:
            return [simple(graph, "QUANTIZE", [source], [made], like=like)]
        whole = graph.add_tensor(made, shape=graph.shape(made), suffix="_signed")
        return [
            simple(graph, "QUANTIZE", [source], [whole], like=like),
            simple(graph, "RELU", [whole], [made]),
        ]

    around.replace(graph, integer)
    return True
