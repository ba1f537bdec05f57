"""What a model would take on hardware that is not here: a profile's constants times the model's terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.catalog_schema import FittedSpeed, Profile, Speed
from edgekit.simulation.memory import MemoryPrediction
from edgekit.simulation.terms import NAMES, Terms
from edgekit.simulation.work import DILATED, Work
from edgekit.vocabulary import Precision

STRANGE_SHARE = 0.05
"""Share of the time that may come from work the calibration had none of."""
_BEYOND = 3.0
"""How far outside the measured latencies a prediction may lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    p50: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One runtime, precision and number of threads; predicted from the graph alone."""

    device: str
    """The target's or profile's id."""
    speed: Speed
    latency_ms: Latency
    """Four of five measurements of models like those it was calibrated on lie from ``low`` to ``high``."""
    outside: tuple[str, ...]
    """Why the graph is unlike what was calibrated; empty where it is not."""
    shares: dict[str, float]
    """Part of the time that each term takes."""
    memory: MemoryPrediction | None = None
    """None where no rule covers the runtime at this precision."""

    @property
    def in_domain(self) -> bool:
        return not self.outside


def predict(device: str, profile: Profile, work: Work, precisions: Sequence[Precision]) -> list[Prediction]:
    """One prediction for each of the profile's speeds in one of ``precisions``."""
    return [
        predict_terms(device, speed, work.on(speed.runtime), work.dilated_on(speed.runtime))
        for speed in profile.speeds
        if speed.precision in precisions
    ]


def constants_ms(speed: Speed) -> Terms:
    """Milliseconds that one unit of each term takes, in the order of ``NAMES``."""
    return np.array([speed.constants_ps.get(name, 0.0) for name in NAMES]) / 1e9


def predict_terms(device: str, speed: Speed, terms: Terms, dilated: Terms) -> Prediction:
    """What ``terms``, as the speed's runtime computes them, would take; ``dilated``: those in dilated convolutions."""
    times_ms = constants_ms(speed) * terms
    p50 = float(times_ms.sum())
    shares = {name: time / p50 for name, time in zip(NAMES, times_ms.tolist(), strict=True) if time > 0}
    strange = tuple(_strange(speed, terms, dilated, shares, p50))
    return Prediction(
        device=device,
        speed=speed,
        latency_ms=interval(speed.interval_factor, p50, strange),
        outside=(*_transferred(speed), *strange),
        shares=shares,
    )


def _transferred(speed: Speed) -> Iterator[str]:
    """Why, where the interval is that of transfers already."""
    if speed.transferred_from:
        yield f"speeds are taken over from '{speed.transferred_from}', as too few models were measured there"


def _strange(
    speed: Speed, terms: Terms, dilated: Terms, shares: dict[str, float], p50: float
) -> Iterator[str]:
    strange = [
        name
        for name, amount in zip(NAMES, terms.tolist(), strict=True)
        if amount > 0 and name not in speed.covered and shares.get(name, 0.0) > STRANGE_SHARE
    ]
    if strange:
        share = sum(shares[name] for name in strange)
        yield f"{share:.0%} of the time is work that no measured model had: {', '.join(strange)}"
    share = float(constants_ms(speed) @ dilated) / p50
    if share > STRANGE_SHARE and DILATED not in speed.covered:
        yield (
            f"{share:.0%} of the time is dilated convolutions, which may take several times as long: "
            "too few models with them were measured"
        )
    yield from beyond(speed, p50)


def beyond(speed: FittedSpeed, p50: float) -> Iterator[str]:
    """Why a latency lies far outside those measured; nothing where it does not."""
    fastest, slowest = speed.latency_ms
    if not fastest / _BEYOND <= p50 <= slowest * _BEYOND:
        yield f"measured models took {fastest:.3g} to {slowest:.3g} ms"


def interval(factor: float, p50: float, outside: Sequence[str]) -> Latency:
    """Around ``p50``. What lies outside was not measured: half as sure again would be a guess too, so the factor
    counts twice."""
    if outside:
        factor **= 2
    return Latency(p50=p50, low=p50 / factor, high=p50 * factor)
