"""Where a predicted time goes: layer by layer, with what holds each of them up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.catalog_schema import Profile, Target
from edgekit.simulation.kin import akin
from edgekit.simulation.layer import Layer, LayerKind
from edgekit.simulation.predict import Prediction, constants_ms, predict
from edgekit.simulation.terms import GROUPS, IN_GROUP, Group
from edgekit.simulation.work import Work, work_by_layer
from edgekit.vocabulary import FLOAT_PRECISIONS, Precision

_BOUND: Mapping[Group, str] = {"arithmetic": "arithmetic", "traffic": "memory", "overhead": "overhead"}
_KINDS: Mapping[LayerKind, str] = {
    "pointwise": "conv 1x1",
    "grouped": "grouped conv",
    "linear": "matmul",
    "norm": "normalizing",
    "pool": "pooling",
    "move": "copying",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTime:
    """One layer of the source with the operators that are computed with it."""

    layer: Layer
    ms: float
    share: float
    """Of the whole predicted time."""
    bound: str
    """What most of it is: ``arithmetic``, ``memory`` (elements and weights moved) or ``overhead`` (of small layers)."""
    bound_share: float
    """Of the layer's own time."""

    @property
    def kind(self) -> str:
        return kind_words(self.layer)

    @property
    def macs_per_element(self) -> float:
        """MACs for each element that is read or written, weights included: what is below ten seldom waits for arithmetic
        alone."""
        return self.layer.macs / (self.layer.moved or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeByLayer:
    """One prediction and what its time is made of."""

    prediction: Prediction
    layers: tuple[LayerTime, ...]
    """The slowest first."""

    @property
    def by_kind(self) -> dict[str, tuple[float, float]]:
        """Kind of layers -> its share of the time and of the MACs; the slowest first."""
        times: dict[str, float] = defaultdict(float)
        macs: dict[str, int] = defaultdict(int)
        for item in self.layers:
            times[item.kind] += item.share
            macs[item.kind] += item.layer.macs
        total = sum(macs.values()) or 1
        return {
            kind: (times[kind], macs[kind] / total) for kind in sorted(times, key=lambda kind: -times[kind])
        }


def kind_words(layer: Layer) -> str:
    """What a layer is, for people: ``conv 3x3``, ``depthwise``."""
    if layer.kind == "conv":
        side = round(layer.kernel**0.5)
        words = f"conv {side}x{side}" if side * side == layer.kernel else f"conv of {layer.kernel}"
        return f"dilated {words}" if layer.is_dilated else words
    return _KINDS.get(layer.kind, layer.kind)


def times_on(
    target: Target, profile: Profile, layers: Sequence[Layer], precisions: Sequence[Precision]
) -> list[TimeByLayer]:
    """In floats and in integers, where ``precisions`` holds them and the profile has constants.

    By the runtime that is nearest to one of the target's own; where none is near, by the fastest that was measured,
    rather than by what was taken over from another chip. Of several numbers of threads, the target's.
    """
    found = predict(target.id, profile, Work.of(layers), precisions)
    names = [name for runtime in target.runtimes for name in akin(runtime.id)]

    def rank(item: Prediction) -> tuple[int, bool, bool, float]:
        runtime, threads = item.speed.runtime, item.speed.threads
        near = names.index(runtime) if runtime in names else len(names)
        is_foreign = item.speed.transferred_from is not None
        return near, is_foreign, threads not in (target.threads, None), item.latency_ms.p50

    nearest: dict[bool, Prediction] = {}
    for item in sorted(found, key=rank):
        nearest.setdefault(item.speed.precision not in FLOAT_PRECISIONS, item)
    return [_split(nearest[integers], layers) for integers in sorted(nearest)]


def _split(prediction: Prediction, layers: Sequence[Layer]) -> TimeByLayer:
    amounts = work_by_layer(layers, prediction.speed.runtime)
    groups = (amounts * constants_ms(prediction.speed)) @ IN_GROUP
    whole = prediction.latency_ms.p50
    times = [
        LayerTime(
            layer=layer,
            ms=sum(parts),
            share=sum(parts) / whole,
            bound=_BOUND[GROUPS[int(np.argmax(parts))]],
            bound_share=max(parts) / (sum(parts) or 1.0),
        )
        for layer, parts in zip(layers, groups.tolist(), strict=True)
    ]
    return TimeByLayer(prediction=prediction, layers=tuple(sorted(times, key=lambda item: -item.ms)))
