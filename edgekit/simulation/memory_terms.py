"""From what a graph holds to the sums that a prediction of memory weighs: each a number of bytes or elements.

Loading and running peak on their own: a runtime reads, optimizes and repacks, gives back what was in the way, and
then needs room for activations. A constant for each term, none negative, times the term adds up to resident bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.simulation.memory_holdings import Holdings, WeightClass
from edgekit.simulation.memory_rules import litert_bytes, onnxruntime_arena_bytes, openvino_arena_bytes
from edgekit.vocabulary import Arch

Phase = Literal["load", "run"]
PHASES: tuple[Phase, ...] = ("load", "run")
MemoryRuntime = Literal["onnxruntime", "openvino", "litert"]
FIRST: Arch = "x86_64"
"""The architecture that was measured first, and most: others begin with its constants."""
Terms = NDArray[np.float64]


class Kernels(NamedTuple):
    """Whose code computes: what it packs, and how it lays out, goes with both."""

    runtime: MemoryRuntime
    arch: str


@dataclass(frozen=True, slots=True)
class Term:
    """``unit``: what one constant's unit is worth in bytes, so that constants are of one order."""

    unit: float
    guess: float
    """The constant where no measurement speaks: of an element of weights, once as read and once repacked."""
    value: Callable[[Holdings, Kernels], float]
    doc: str


def _weights(kind: WeightClass) -> Callable[[Holdings, Kernels], float]:
    def value(held: Holdings, kernels: Kernels) -> float:
        floats = _tables(held, kernels) if kind == "other" else 0
        return held.weights.get(kind, 0) - floats - _left_narrow(held, kernels).get(kind, 0)

    return value


def _tables(held: Holdings, kernels: Kernels) -> float:
    """Elements that a file holds in 8 bits, and that OpenVINO computes as floats while loading."""
    return held.tables if kernels.runtime == "openvino" and held.element_bytes == 1 else 0


def _left_narrow(held: Holdings, kernels: Kernels) -> Mapping[WeightClass, float]:
    """OpenVINO leaves weights that are unpacked from 8 bits as they are: a quarter. Others compute the floats."""
    leaves = kernels.runtime == "openvino" and held.element_bytes > 1
    return {kind: 0.75 * size for kind, size in held.narrow.items()} if leaves else {}


def _arena(held: Holdings, kernels: Kernels) -> float:
    """Activations under the runtime's own rule."""
    if kernels.runtime == "onnxruntime":
        return onnxruntime_arena_bytes(held, blocks=kernels.arch == "x86_64")
    return litert_bytes(held).arena if kernels.runtime == "litert" else openvino_arena_bytes(held)


def _addresses(held: Holdings, kernels: Kernels) -> float:
    return held.windows if kernels.runtime == "litert" else 0


def _workspace(held: Holdings, kernels: Kernels) -> float:
    return litert_bytes(held).workspace if kernels.runtime == "litert" else 0


TERMS: Mapping[str, Term] = {
    "base_mb": Term(1e6, 60, lambda held, _: 1, "MB: Python, numpy, the runtime's code and its own data"),
    "windows": Term(1, 8, _weights("windows"), "bytes an element of convolutions with a window"),
    "points": Term(1, 8, _weights("points"), "bytes an element of 1 x 1 convolutions"),
    "depthwise": Term(1, 8, _weights("depthwise"), "bytes an element of convolutions in groups"),
    "products": Term(1, 8, _weights("products"), "bytes an element of matrices"),
    "other": Term(1, 4, _weights("other"), "bytes an element of tables and other constants"),
    "tables": Term(1, 5, _tables, "bytes an element of tables in 8 bits that are computed as floats"),
    "largest": Term(1, 1, lambda held, _: held.largest, "bytes an element of the largest constant"),
    "layers_kb": Term(1e3, 10, lambda held, _: held.layers, "kB an operator"),
    "arena": Term(1, 1, _arena, "bytes a byte of the arena"),
    "workspace": Term(1, 1, _workspace, "bytes a byte of XNNPACK's workspace"),
    "windows_addresses": Term(8, 1, _addresses, "addresses of a row that a window reads, of XNNPACK"),
    "edges": Term(1, 1, lambda held, _: held.edges_bytes, "bytes a byte of inputs and outputs"),
}  # fmt: skip
NAMES = tuple(TERMS)
WEIGHTS = ("windows", "points", "depthwise", "products", "other", "largest")
"""Terms in elements of constants, which take a quarter in 8 bits."""
ONLY: Mapping[str, MemoryRuntime] = {
    "tables": "openvino",
    "workspace": "litert",
    "windows_addresses": "litert",
}
"""Terms that one runtime alone has."""
OF_PHASE: Mapping[Phase, tuple[str, ...]] = {
    "load": ("base_mb", "windows", "points", "depthwise", "products", "other", "tables", "largest", "layers_kb", "arena",
             "workspace", "windows_addresses"),
    "run": ("base_mb", "windows", "points", "depthwise", "products", "other", "tables", "layers_kb", "arena",
            "workspace", "windows_addresses", "edges"),
}  # fmt: skip
"""An arena is filled while loading too where the runtime clears it; whoever does not gets the constant 0."""


def memory_terms(held: Holdings, runtime: MemoryRuntime, arch: str) -> Terms:
    """How much of each term, in the order of ``NAMES``; ``arch`` as the kernel calls it."""
    kernels = Kernels(runtime, arch)
    return np.array([term.value(held, kernels) * term.unit for term in TERMS.values()], float)
