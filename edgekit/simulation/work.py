"""How much work a graph is to each runtime: NPUs compute whole blocks of channels, and Qualcomm's tells few kinds apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edgekit.simulation.layer import Layer
from edgekit.simulation.terms import NAMES, Terms, macs_of, terms_by_layer


@dataclass(frozen=True, slots=True)
class Unit:
    """What a runtime computes products with."""

    block: int = 1
    """Channels that it computes at once: fewer take as long."""
    counts_as: Mapping[str, str | None] = field(default_factory=dict)
    """Terms that it has no kernels of its own for, and those that they are joined to."""


_CORES = Unit()
_HEXAGON = Unit(
    block=32,
    counts_as={
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
    },
)
"""Qualcomm's matrix unit. Few models were measured: each term less is a guess less."""
_DA_VINCI = Unit(block=16)
"""Huawei's, in fp16: its maps lie in memory in blocks of 16 channels (NC1HWC0), its cube multiplies 16 x 16 x 16."""
_UNITS: Mapping[str, Unit] = {"qnn": _HEXAGON, "cann": _DA_VINCI, "hiai": _DA_VINCI}
DILATED = "dilated"
"""Among what is covered: dilated convolutions, too."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """The terms of one graph as one kind of unit computes them."""

    terms: Terms
    dilated: Terms
    """Those of them that are of dilated convolutions, which no term tells from others."""


@dataclass(frozen=True, slots=True)
class Work:
    """How much work one graph is to every kind of unit."""

    by_block: Mapping[int, Amounts]

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> Work:
        is_dilated = np.array([layer.is_dilated for layer in layers])
        counted = {unit.block: _counted(layers, unit) for unit in (_CORES, *_UNITS.values())}
        return cls(
            {
                block: Amounts(terms=terms.sum(axis=0), dilated=terms[is_dilated].sum(axis=0))
                for block, terms in counted.items()
            }
        )

    @property
    def usual(self) -> Terms:
        """As a processor's cores compute it."""
        return self.by_block[_CORES.block].terms

    def on(self, runtime: str) -> Terms:
        """As ``runtime`` computes it."""
        return self.by_block[_unit(runtime).block].terms

    def dilated_on(self, runtime: str) -> Terms:
        """The same of dilated convolutions only."""
        return self.by_block[_unit(runtime).block].dilated

    @property
    def dilated_share(self) -> float:
        """Of all MACs: those of dilated convolutions."""
        amounts = self.by_block[_CORES.block]
        return macs_of(amounts.dilated) / max(macs_of(amounts.terms), 1.0)


def work_by_layer(layers: Sequence[Layer], runtime: str) -> Terms:
    """Layers by terms, as ``runtime`` computes them."""
    return _counted(layers, _unit(runtime))


def _unit(runtime: str) -> Unit:
    return _UNITS.get(runtime, _CORES)


def _counted(layers: Sequence[Layer], unit: Unit) -> Terms:
    found = terms_by_layer([_filled(layer, unit.block) for layer in layers])
    for name, other in unit.counts_as.items():
        if other is not None:
            found[:, NAMES.index(other)] += found[:, NAMES.index(name)]
        found[:, NAMES.index(name)] = 0
    return found


def _filled(layer: Layer, block: int) -> Layer:
    """The same with channels up to whole blocks."""
    if not layer.in_channels or block == 1:
        return layer
    made = _share(layer.out_channels, block)
    read = (
        made
        if layer.kind == "depthwise"
        else 1.0
        if layer.kind == "grouped"
        else _share(layer.in_channels, block)
    )
    columns = made if layer.kind == "depthwise" else made * read
    is_map = layer.kind not in ("linear", "matmul", "dense")
    return replace(
        layer,
        out_channels=round(layer.out_channels * made),
        macs=round(layer.macs * columns),
        weights=round(layer.weights * (columns if is_map else 1.0)),
        reads=round(layer.reads * (read if is_map else 1.0)),
        writes=round(layer.writes * made),
    )


def _share(channels: int, block: int) -> float:
    return float(np.ceil(channels / block) * block / channels)
