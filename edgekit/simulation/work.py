"""How much work a graph is to each runtime: Qualcomm's NPU computes whole blocks of channels, and tells few kinds apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.simulation.layer import Layer
from edgekit.simulation.terms import NAMES, Terms, terms_by_layer

_IN_BLOCKS = frozenset({"qnn"})
_BLOCK = 32
"""Channels that Hexagon's matrix unit computes at once: fewer take as long."""
_COUNTS_AS: Mapping[str, str | None] = {
    "conv_first": "conv",
    "conv_3x3": "conv",
    "grouped": "depthwise",
    "dense_weights": "weights",
    "product_out": "product_in",
    "conv_elements": "product_in",
    "depthwise_elements": "product_in",
    "pool": "elementwise",
    "unfolded": None,
    "small": None,
}
"""What a unit for matrices has no kernels of its own for. Few models were measured: each term less is a guess less."""


@dataclass(frozen=True, slots=True)
class Work:
    """The terms of one graph."""

    usual: Terms
    in_blocks: Terms

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> Work:
        return cls(terms_by_layer(layers).sum(axis=0), _by_layer_in_blocks(layers).sum(axis=0))

    def on(self, runtime: str) -> Terms:
        """As ``runtime`` computes them."""
        return self.in_blocks if runtime in _IN_BLOCKS else self.usual


def work_by_layer(layers: Sequence[Layer], runtime: str) -> Terms:
    """Layers by terms, as ``runtime`` computes them."""
    return _by_layer_in_blocks(layers) if runtime in _IN_BLOCKS else terms_by_layer(layers)


def _by_layer_in_blocks(layers: Iterable[Layer]) -> Terms:
    found = terms_by_layer([_filled(layer) for layer in layers])
    for name, other in _COUNTS_AS.items():
        if other is not None:
            found[:, NAMES.index(other)] += found[:, NAMES.index(name)]
        found[:, NAMES.index(name)] = 0
    return found


def _filled(layer: Layer) -> Layer:
    """The same with channels up to whole blocks."""
    if not layer.in_channels:
        return layer
    made = _share(layer.out_channels)
    read = (
        made if layer.kind == "depthwise" else 1.0 if layer.kind == "grouped" else _share(layer.in_channels)
    )
    columns = made if layer.kind == "depthwise" else made * read
    is_map = layer.kind not in ("linear", "matmul", "dense")
    return replace(
        layer,
        macs=round(layer.macs * columns),
        weights=round(layer.weights * (columns if is_map else 1.0)),
        reads=round(layer.reads * (read if is_map else 1.0)),
        writes=round(layer.writes * made),
    )


def _share(channels: int) -> float:
    return float(np.ceil(channels / _BLOCK) * _BLOCK / channels)
