"""integer-leaky-relu: DEQUANTIZE, LEAKY_RELU in float, QUANTIZE become LEAKY_RELU from int8 to int8.

A quantizer that has no rule for LEAKY_RELU leaves it in float between two conversions: three operators on the CPU for
each layer of a network such as YOLO. The NPU computes it in integers, with an input and an output of other scales.

1. A LEAKY_RELU between a DEQUANTIZE and QUANTIZE to int8, one for each scale that is wanted.
"""

from __future__ import annotations

from tflite_graph import Graph, Operator, simple

from passes.islands import island


def integer_leaky_relu(graph: Graph) -> list[str]:
    """Names of the operators that compute in integers now."""
    found = [operator for operator in graph.operators if graph.op(operator) == "LEAKY_RELU"]
    return [graph.name(operator) for operator in found if _replaced(graph, operator)]


def _replaced(graph: Graph, operator: Operator) -> bool:
    around = island(graph, operator)
    if around is None:
        return False
    around.replace(graph, lambda source, made: [simple(graph, "LEAKY_RELU", [source], [made], like=operator)])
    return True
