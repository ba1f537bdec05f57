"""Tensors that hold the values of others, joined or in another shape: the ranges of those are theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import onnx

from edgekit.quantization.observers import Range
from edgekit.quantization.placement import SAME_VALUES


@dataclass(frozen=True, slots=True)
class Derived:
    """Tensors with what they are made of."""

    sources: Mapping[str, tuple[str, ...]]

    def range(self, name: str, seen: Mapping[str, Range]) -> Range:
        """Around all that ``name`` is made of, by the ranges of those that were ``seen``.

        A Concat has one range with what it joins anyway (``sharing.py``), whatever its own values say.
        """
        if name not in self.sources:
            return seen[name]
        lows, highs = zip(*(self.range(source, seen) for source in self.sources[name]), strict=True)
        return min(lows), max(highs)


def derived(graph: onnx.GraphProto, tensors: Collection[str], at_zero: Collection[str]) -> Derived:
    """Those of ``tensors`` that only hold values of others of them; ``graph`` in the order of computation.

    ``at_zero``: tensors whose zero point will be zero, whose ranges are chosen otherwise.
    """
    sources: dict[str, tuple[str, ...]] = {}
    for node in graph.node:
        joins, name = node.op_type == "Concat", node.output[0] if node.output else ""
        inputs = tuple(node.input if joins else node.input[:1])
        if name not in tensors or not inputs or not all(part in tensors for part in inputs):
            continue
        alike = node.op_type in SAME_VALUES and (name in at_zero) == (inputs[0] in at_zero)
        if joins or alike:
            sources[name] = inputs
    return Derived(sources)
