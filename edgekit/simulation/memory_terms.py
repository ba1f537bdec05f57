"""From what a graph holds to the sums that a prediction of memory weighs: each a number of bytes or elements.

Loading and running peak on their own: a runtime reads, optimizes and repacks, gives back what was in the way, and
then needs room for activations. A constant for each term, none negative, times the term adds up to resident bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.simulation.memory_arenas import greedy_by_size_bytes, onnxruntime_bytes
from edgekit.simulation.memory_holdings import Holdings

Phase = Literal["load", "run"]
PHASES: tuple[Phase, ...] = ("load", "run")
MemoryRuntime = Literal["onnxruntime", "openvino", "litert"]
Terms = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Term:
    """``unit``: what one constant's unit is worth in bytes, so that constants are of one order."""

    unit: float
    value: Callable[[Holdings, MemoryRuntime], float]
    doc: str


def _weights(kind: str) -> Callable[[Holdings, MemoryRuntime], float]:
    return lambda held, _: sum(size for name, size in held.weights.items() if name == kind)


def _arena(held: Holdings, runtime: MemoryRuntime) -> float:
    """Activations under the runtime's own rule."""
    if runtime == "onnxruntime":
        return onnxruntime_bytes(held.inner)[1]
    return greedy_by_size_bytes(held.whole)


TERMS: Mapping[str, Term] = {
    "base_mb": Term(1e6, lambda held, _: 1, "MB: Python, numpy, the runtime's code and its own data"),
    "windows": Term(1, _weights("windows"), "bytes an element of convolutions with a window"),
    "points": Term(1, _weights("points"), "bytes an element of 1 x 1 convolutions"),
    "depthwise": Term(1, _weights("depthwise"), "bytes an element of convolutions in groups"),
    "products": Term(1, _weights("products"), "bytes an element of matrices"),
    "other": Term(1, _weights("other"), "bytes an element of tables and other constants"),
    "largest": Term(1, lambda held, _: held.largest, "bytes an element of the largest constant"),
    "layers_kb": Term(1e3, lambda held, _: held.layers, "kB an operator"),
    "arena": Term(1, _arena, "bytes a byte of the arena"),
    "edges": Term(1, lambda held, _: held.edges_bytes, "bytes a byte of inputs and outputs"),
}  # fmt: skip
NAMES = tuple(TERMS)
OF_PHASE: Mapping[Phase, tuple[str, ...]] = {
    "load": ("base_mb", "windows", "points", "depthwise", "products", "other", "largest", "layers_kb", "arena"),
    "run": ("base_mb", "windows", "points", "depthwise", "products", "other", "layers_kb", "arena", "edges"),
}  # fmt: skip
"""An arena is filled while loading too where the runtime clears it; whoever does not gets the constant 0."""


def memory_terms(held: Holdings, runtime: MemoryRuntime) -> Terms:
    """How much of each term, in the order of ``NAMES``."""
    return np.array([term.value(held, runtime) * term.unit for term in TERMS.values()], float)
