"""What a graph makes a runtime keep in memory, whatever the format it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from edgekit.simulation.memory_buffers import Move

WeightClass = Literal["windows", "points", "depthwise", "products", "other"]
"""Runtimes repack the weights of each class in another way: convolutions with a window, 1 x 1, in groups, matrices;
``other``: tables and what arithmetic reads."""
WEIGHT_CLASSES: tuple[WeightClass, ...] = get_args(WeightClass)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Of one graph at one precision of its activations."""

    weights: Mapping[WeightClass, int]
    """Elements."""
    narrow: Mapping[WeightClass, int]
    """Those of them that are stored in 8 bits and unpacked by operators of the graph, before floats are computed."""
    tables: int
    """Elements of those of ``other`` whose rows go elsewhere than into a product."""
    largest: int
    """Elements of the largest constant."""
    moves: tuple[Move, ...]
    """What runs, in running order."""
    sizes_bytes: Mapping[str, int]
    """Of every activation."""
    element_bytes: int
    """What an activation's element takes there that is a float in the source."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    edges_bytes: int
    """Inputs and outputs, as the application holds them."""

    @property
    def layers(self) -> int:
        """Operators that a runtime makes a kernel for."""
        return sum(not move.view for move in self.moves)

    @property
    def windows(self) -> int:
        """Addresses of rows that convolutions read."""
        return sum(move.windows for move in self.moves)
