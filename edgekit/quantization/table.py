"""The table of sensitivities: what quantizing each layer alone costs, as a file that travels with a bundle."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import Field

from edgekit.strict import Strict, read_record

NAME = "sensitivity.json"

InFloat = Literal["", "tail", "attention", "rescue", "other"]
"""Why a layer computes in float; empty: it computes in int8."""


class LayerSensitivity(Strict):
    """One layer with weights, or another that multiplies."""

    node: str
    """In the source's names."""
    op: str
    macs: int
    """0 where a shape that the count needs is not known."""
    in_float: InFloat
    sqnr_db: float | None
    """Of the model's outputs with this layer alone in int8 (weights, input, output); None where it was not tried."""

    @property
    def noise(self) -> float:
        """Noise over signal in the outputs."""
        return 0.0 if self.sqnr_db is None else float(10 ** (-self.sqnr_db / 10))


class Sensitivity(Strict):
    """All layers in running order."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    samples: int
    """How many samples each layer was tried on."""
    unseen: bool
    """Whether they are other samples than those that weights are fitted on."""
    layers: tuple[LayerSensitivity, ...]

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    def share(self, layer: LayerSensitivity) -> float:
        """The layer's part of all MACs, 0 to 1."""
        return layer.macs / self.macs if self.macs else 0.0

    def rescued(self, names: Collection[str]) -> Sensitivity:
        """The same table with ``names`` kept in float."""
        layers = tuple(
            layer.model_copy(update={"in_float": "rescue"}) if layer.node in names else layer
            for layer in self.layers
        )
        return self.model_copy(update={"layers": layers})

    def write(self, folder: Path) -> Path:
        path = folder / NAME
        text = json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        return path


def read_sensitivity(path: Path) -> tuple[Sensitivity | None, list[str]]:
    """The table in ``path``, or a line for each problem."""
    return read_record(path, Sensitivity)
