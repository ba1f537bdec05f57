"""Why a bundle answers and takes what it does: error and time, source layer by source layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.quantization.guards import GUARD
from edgekit.quantization.table import InFloat, LayerSensitivity, Sensitivity

if TYPE_CHECKING:
    from edgekit.bundles import Bundle
    from edgekit.bundles.manifest import IsaCheck
    from edgekit.profiling.record import OperatorTime

REASONS: Mapping[InFloat, str] = {
    "tail": "behind the last weights",
    "attention": "attention",
    "rescue": "kept by the rescue",
    "other": "as it was",
}
_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "QUANTIZE", "DEQUANTIZE", "FakeQuantize"})
CONVERSIONS, LAYOUT, REST = "between int8 and float", "layout changes", "other operators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Time by operator of one inference, and its conditions."""

    operators: tuple[OperatorTime, ...]
    kind: str
    where: str
    how: str

    @property
    def total_ms(self) -> float:
        return sum(row.ms for row in self.operators)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One layer of the source model in the artifact."""

    node: str
    op: str
    macs: int | None
    macs_share: float | None
    precision: str
    """Of the artifact's arithmetic; empty where it is not known."""
    reason: str
    """Why the layer is not in int8; empty where it is, or nobody asked for it."""
    sqnr_db: float | None
    """Of the model's outputs with this layer alone in int8."""
    ms: float | None
    time_share: float | None

    def facts(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "op": self.op,
            "macs": self.macs,
            "macs_share": _rounded(self.macs_share),
            "precision": self.precision or None,
            "reason": self.reason or None,
            "alone_sqnr_db": self.sqnr_db,
            "ms": _rounded(self.ms),
            "time_share": _rounded(self.time_share),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """All layers of a bundle in running order."""

    bundle: str
    model: str
    target: str
    precision: str
    rows: tuple[Row, ...]
    other: tuple[tuple[str, float], ...]
    """Time in ms of what belongs to no layer, by kind."""
    times: Times | None
    table: Sensitivity | None
    missing: tuple[str, ...]
    """What is not known, and how it would be."""
    isa: IsaCheck | None = None
    """The bundle's golden pair on its target's own processor, emulated."""

    def facts(self) -> dict[str, Any]:
        """As ``why --json`` prints it."""
        times, table = self.times, self.table
        total = times.total_ms if times else 0.0
        return {
            "bundle": self.bundle,
            "model": self.model,
            "target": self.target,
            "precision": self.precision,
            "layers": [row.facts() for row in self.rows],
            "other": [
                {"name": name, "ms": _rounded(ms), "time_share": _rounded(ms / total if total else None)}
                for name, ms in self.other
            ],
            "times": {"kind": times.kind, "where": times.where, "how": times.how} if times else None,
            "sensitivity": {"samples": table.samples, "unseen": table.unseen} if table else None,
            "missing": list(self.missing),
            "isa": self.isa.model_dump(mode="json") if self.isa else None,
        }


def explain(
    bundle: Bundle,
    layers: Sequence[LayerSensitivity],
    *,
    table: Sensitivity | None,
    times: Times | None,
    missing: Sequence[str] = (),
) -> Why:
    """Put together what is known. ``layers``: of ``table`` where there is one, else of the source model."""
    manifest = bundle.manifest
    spent, other = shared_out(times.operators, [layer.node for layer in layers]) if times else ({}, {})
    macs = sum(layer.macs for layer in layers)
    total = times.total_ms if times else 0.0
    int8 = manifest.artifact.precision == "int8"

    def row(layer: LayerSensitivity) -> Row:
        in_float = layer.in_float if int8 else ""
        known = table is not None or not int8
        # where nothing was measured for a layer, another kernel does its work
        ms = spent.get(layer.node, 0.0) if times else None
        return Row(
            node=layer.node,
            op=layer.op,
            macs=layer.macs or None,
            macs_share=layer.macs / macs if macs and layer.macs else None,
            precision=("float" if in_float else manifest.artifact.precision) if known else "",
            reason=REASONS[in_float] if in_float else "",
            sqnr_db=layer.sqnr_db if int8 else None,
            ms=ms,
            time_share=ms / total if ms is not None and total else None,
        )

    return Why(
        bundle=str(bundle.path),
        model=manifest.model.name,
        target=manifest.target,
        precision=manifest.artifact.precision,
        rows=tuple(row(layer) for layer in layers),
        other=tuple(other.items()),
        times=times,
        table=table,
        missing=tuple(missing),
        isa=manifest.isa,
    )


def shared_out(
    operators: Sequence[OperatorTime], nodes: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Time in ms by layer, and by kind of what belongs to none.

    A kernel that does the work of several layers is shared out evenly; one that does that of a layer and of nodes
    fused to it is the layer's.
    """
    known = set(nodes)
    spent: dict[str, float] = {}
    other: dict[str, float] = {}
    for operator in operators:
        names = [operator.name] if operator.name in known else operator.name.split(",")
        mine = [name for name in names if name in known]
        for name in mine:
            spent[name] = spent.get(name, 0.0) + operator.ms / len(mine)
        if not mine:
            kind = _kind(operator)
            other[kind] = other.get(kind, 0.0) + operator.ms
    return spent, dict(sorted(other.items(), key=lambda item: -item[1]))


def _kind(operator: OperatorTime) -> str:
    if operator.op in _CONVERSIONS or operator.name.endswith(GUARD):
        return CONVERSIONS
    return LAYOUT if "(layout change" in operator.name else REST


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
