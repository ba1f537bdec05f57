"""The sentence vector from hidden states: the mean over real tokens, scaled to length 1."""

from __future__ import annotations

import numpy as np

from edgekit.models.zoo.builders._graph import Graph

OUTPUT = "sentence_embedding"


def add_pooling(graph: Graph, hidden: str, mask: str, width: int) -> None:
    """Add mean pooling and normalization; the graph's output is ``sentence_embedding`` [batch, width]."""
    last = graph.weight("pooling.last", np.array([-1], np.int64))
    tokens = graph.weight("pooling.tokens", np.array([1], np.int64))
    weights = graph.node("Cast", "pooling.mask", [mask], to=1)
    weights = graph.node("Unsqueeze", "pooling.weights", [weights, last])
    kept = graph.node("Mul", "pooling.kept", [hidden, weights])
    total = graph.node("ReduceSum", "pooling.sum", [kept, tokens], keepdims=0)
    count = graph.node("ReduceSum", "pooling.count", [weights, tokens], keepdims=0)
    few = graph.weight("pooling.least", np.array(1e-9, np.float32))
    mean = graph.node("Div", "pooling.mean", [total, graph.node("Max", "pooling.at_least", [count, few])])
    length = graph.node("ReduceL2", "normalize.length", [mean], axes=[-1], keepdims=1)
    small = graph.weight("normalize.least", np.array(1e-12, np.float32))
    length = graph.node("Max", "normalize.at_least", [length, small])
    graph.node("Div", "normalize", [mean, length], out=OUTPUT)
    graph.output(OUTPUT, "float32", ["batch", width])
