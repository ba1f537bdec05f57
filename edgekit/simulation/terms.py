"""From layers to the sums that a prediction weighs: how much of each class of work a graph is.

Everything adds up: a constant for each term, none negative, times the term is a time. Terms fall into three groups
that a processor, its memory and its runtime make fast or slow together: arithmetic, traffic and overhead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.simulation.layer import Layer, LayerKind

Group = Literal["arithmetic", "traffic", "overhead"]
GROUPS: tuple[Group, ...] = ("arithmetic", "traffic", "overhead")
Terms = NDArray[np.float64]
_FEW_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class Term:
    """One class of work."""

    group: Group
    guess: float
    """What one unit costs where no measurement speaks, in MACs of a matrix product."""
    value: Callable[[Layer], float]
    doc: str


def _of(*kinds: LayerKind) -> Callable[[Layer], bool]:
    return lambda layer: layer.kind in kinds


def _macs(chosen: Callable[[Layer], bool]) -> Callable[[Layer], float]:
    return lambda layer: layer.macs if chosen(layer) else 0


def _traffic(chosen: Callable[[Layer], bool]) -> Callable[[Layer], float]:
    return lambda layer: layer.reads + layer.writes if chosen(layer) else 0


def _first(layer: Layer) -> bool:
    return layer.kind == "conv" and layer.in_channels < _FEW_CHANNELS


def _winograd(layer: Layer) -> bool:
    return layer.kind == "conv" and layer.kernel == 9 and layer.stride == 1 and not _first(layer)


def _other_conv(layer: Layer) -> bool:
    return layer.kind == "conv" and not _first(layer) and not _winograd(layer)


_product = _of("pointwise", "linear", "matmul")

TERMS: Mapping[str, Term] = {
    "conv": Term("arithmetic", 1, _macs(_other_conv), "MACs of convolutions with a window"),
    "conv_first": Term("arithmetic", 2, _macs(_first), "MACs of convolutions of an image's few channels"),
    "conv_3x3": Term("arithmetic", 0.7, _macs(_winograd), "MACs of 3 x 3 convolutions at stride 1 (Winograd)"),
    "pointwise": Term("arithmetic", 1, _macs(_of("pointwise")), "MACs of 1 x 1 convolutions"),
    "linear": Term("arithmetic", 1.5, _macs(_of("linear", "matmul")), "MACs of products of many rows, attention"),
    "depthwise": Term("arithmetic", 3, _macs(_of("depthwise")), "MACs of depthwise convolutions"),
    "grouped": Term("arithmetic", 1.5, _macs(_of("grouped")), "MACs of other convolutions in groups"),
    "dense_weights": Term(
        "traffic", 4, lambda layer: layer.weights if layer.kind == "dense" else 0, "weights read once for one row"
    ),
    "product_in": Term("traffic", 3, lambda layer: layer.reads if _product(layer) else 0, "elements products read"),
    "product_out": Term(
        "traffic", 3, lambda layer: layer.writes if _product(layer) else 0, "elements products write"
    ),
    "weights": Term(
        "traffic", 3, lambda layer: layer.weights if layer.kind != "dense" else 0, "weights of all other layers"
    ),
    "unfolded": Term(
        "traffic",
        2,
        lambda layer: layer.macs / layer.out_channels if layer.kind == "conv" else 0,
        "elements of the windows of convolutions laid out in rows",
    ),
    "conv_elements": Term("traffic", 3, _traffic(_of("conv", "grouped")), "elements convolutions read and write"),
    "depthwise_elements": Term("traffic", 3, _traffic(_of("depthwise")), "elements depthwise layers read and write"),
    "elementwise": Term("traffic", 4, _traffic(_of("elementwise")), "elements that arithmetic reads and writes"),
    "pool": Term("traffic", 4, _traffic(_of("pool")), "elements pooling reads and writes"),
    "move": Term("traffic", 4, _traffic(_of("move", "norm")), "elements copied or normalized"),
    "operators": Term("overhead", 20_000, lambda layer: 1, "operators"),
    "small": Term(
        "overhead", 500, lambda layer: layer.macs**0.5, "square roots of MACs: what small layers lose, threads above all"
    ),
}  # fmt: skip
NAMES = tuple(TERMS)
GUESS: Terms = np.array([term.guess for term in TERMS.values()])
IN_GROUP: Terms = np.array([[term.group == group for group in GROUPS] for term in TERMS.values()], float)
"""Terms by groups."""
_IS_MACS: Terms = np.array(
    [term.group == "arithmetic" or name == "dense_weights" for name, term in TERMS.items()], float
)
"""1 for each term that counts MACs: a dense layer has one for each weight."""


def macs_of(terms: Terms) -> float:
    """Products, those of filled up blocks included."""
    return float(terms @ _IS_MACS)


def terms_of(layers: Iterable[Layer]) -> Terms:
    """How much of each term ``layers`` are, in the order of ``NAMES``."""
    return np.asarray(terms_by_layer(layers).sum(axis=0))


def terms_by_layer(layers: Iterable[Layer]) -> Terms:
    """The same of each layer by itself: layers by terms."""
    return np.array([[term.value(layer) for term in TERMS.values()] for layer in layers], float)
