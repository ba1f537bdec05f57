"""One range for what a concatenation joins: values that go from one grid to a slightly other one are rounded again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    from edgekit.quantization.observers import Range

PART = 0.5
"""Smallest part of the common range that a tensor with other readers may have: it costs them a bit at most."""


def with_shared_ranges(graph: onnx.GraphProto, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """``ranges`` with one for all inputs and the output of each Concat, where that costs their other readers little."""
    readers = Counter(name for node in graph.node for name in set(node.input))
    readers.update(value.name for value in graph.output)
    shared = dict(ranges)
    groups: dict[str, set[str]] = {name: {name} for name in ranges}
    for node in graph.node:
        joined = [name for name in dict.fromkeys(node.input) if name in ranges]
        if node.op_type != "Concat" or node.output[0] not in ranges or not joined:
            continue
        common = _union(ranges, joined)
        alike = [
            name for name in joined if readers[name] == 1 or _width(ranges[name]) >= PART * _width(common)
        ]
        group = set.union(*(groups[name] for name in (*alike, node.output[0])))
        for name in group:
            groups[name] = group
        shared |= dict.fromkeys(group, _union({**ranges, node.output[0]: common}, group))
    return shared


def _union(ranges: Mapping[str, Range], names: list[str] | set[str]) -> Range:
    return min(ranges[name][0] for name in names), max(ranges[name][1] for name in names)


def _width(span: Range) -> float:
    return span[1] - span[0]
