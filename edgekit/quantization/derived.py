"""Tensors that hold the values of others, joined or in another shape: what was seen of those says all of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import onnx

from edgekit.quantization.histogram import Histogram, merged
from edgekit.quantization.observers import Extremes
from edgekit.quantization.placement import SAME_VALUES


@dataclass(frozen=True, slots=True)
class Derived:
    """Tensors with what they are made of, and how many values each tensor has."""

    sources: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int]

    def extremes(self, name: str, seen: Mapping[str, Extremes]) -> Extremes:
        """Of ``name`` by those that were ``seen``."""
        if name not in self.sources:
            return seen[name]
        parts = [self.extremes(source, seen) for source in self.sources[name]]
        return Extremes(min(part.low for part in parts), max(part.high for part in parts))

    def histogram(self, name: str, seen: Mapping[str, Histogram]) -> Histogram:
        """Of ``name`` by those that were ``seen``, each of its parts counted by its number of values."""
        if name not in self.sources:
            return seen[name]
        sources = self.sources[name]
        parts = [self.histogram(source, seen) for source in sources]
        if len(parts) == 1:
            return parts[0]
        counted = [float(part.counts.sum()) for part in parts]
        share = sum(counted) / sum(self.sizes[source] for source in sources)
        weights = [
            self.sizes[source] * share / max(count, 1.0)
            for source, count in zip(sources, counted, strict=True)
        ]
        return merged(list(zip(parts, weights, strict=True)))


def derived(
    graph: onnx.GraphProto, tensors: Collection[str], shapes: Mapping[str, tuple[int, ...]]
) -> Derived:
    """Those of ``tensors`` that only hold values of others of them; ``graph`` in the order of computation."""
    known = {name for name in tensors if name in shapes}
    sources: dict[str, tuple[str, ...]] = {}
    for node in graph.node:
        inputs = node.input if node.op_type == "Concat" else node.input[:1]
        if (
            node.op_type in SAME_VALUES | {"Concat"}
            and node.output[0] in known
            and inputs
            and known.issuperset(inputs)
        ):
            sources[node.output[0]] = tuple(inputs)
    return Derived(sources, {name: math.prod(shapes[name]) for name in known})
