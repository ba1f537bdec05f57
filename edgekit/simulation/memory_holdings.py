"""What a graph makes a runtime keep in memory, whatever the format it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from edgekit.simulation.memory_buffers import Buffer

WeightClass = Literal["windows", "points", "depthwise", "products", "other"]
"""Runtimes repack the weights of each class in another way: convolutions with a window, 1 x 1, in groups, matrices;
``other``: tables and what arithmetic reads."""
WEIGHT_CLASSES: tuple[WeightClass, ...] = get_args(WeightClass)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Of one graph at one precision of its activations."""

    weights: Mapping[WeightClass, int]
    """Elements."""
    largest: int
    """Elements of the largest constant."""
    layers: int
    """Operators that a runtime makes a kernel for."""
    edges_bytes: int
    """Inputs and outputs, as the application holds them."""
    inner: tuple[Buffer, ...]
    """Activations without the inputs, in running order."""
    whole: tuple[Buffer, ...]
    """Activations and inputs."""
