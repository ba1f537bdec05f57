"""Constants of memory from measured peaks, and how wrong they are for families that took no part."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.simulation.memory_terms import FIRST, NAMES, OF_PHASE, ONLY, PHASES, TERMS, WEIGHTS, Phase, Terms
from edgekit.simulation.solve import least_squares

MEASURED = Path(__file__).with_name("memory_measured.csv")
"""Peaks of probes and zoo models with their terms, written by ``benchmarks/memory.py``."""
PROBE = "probe"
"""The family of graphs that were made to be measured: always part of the fit, never judged by."""
_HOLD = 0.0002
"""How strongly constants are held to the guesses; the weight of one measurement is 1, so: as if they were sure to as
much as themselves where measurements are to 1.4 %."""
_HOLD_KNOWN = 0.002
"""How strongly to constants of another architecture: they were measured, and guesses are worth a tenth of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Measured peaks of one model on one runtime at one precision, in bytes."""

    model: str
    family: str
    runtime: str
    version: str
    precision: str
    arch: str
    kind: str
    """``measured``, or ``emulated``: under qemu-user, less the emulator's own pages."""
    measured: Mapping[Phase, int]
    terms: Terms

    @property
    def peak(self) -> int:
        return max(self.measured.values())

    @property
    def series(self) -> tuple[str, str, str]:
        """What has constants of its own: runtime, precision and architecture."""
        return self.runtime, self.precision, self.arch

    @property
    def key(self) -> tuple[str, ...]:
        return self.model, *self.series


@dataclass(frozen=True, slots=True)
class Judged:
    """A peak and what was predicted of it without its family."""

    peak: Peak
    predicted: float

    @property
    def error(self) -> float:
        return self.predicted / self.peak.peak - 1


def fit_memory(peaks: Sequence[Peak], elders: Sequence[Peak] = ()) -> Mapping[Phase, Terms]:
    """Constants by phase, in the order of ``NAMES``: least squares of relative errors, none negative.

    Where measurements say nothing they are what the rules say, or where there are ``elders``, the same runtime's and
    precision's peaks on another architecture, what those come to.
    """
    found: dict[Phase, Terms] = {}
    known = fit_memory(elders) if elders else None
    for phase in PHASES:
        names = [name for name in OF_PHASE[phase] if ONLY.get(name, peaks[0].runtime) == peaks[0].runtime]
        used = [NAMES.index(name) for name in names]
        narrow = peaks[0].precision != "fp32"
        guess = np.array([TERMS[name].guess * (0.25 if narrow and name in WEIGHTS else 1) for name in names])
        rows = np.array([peak.terms[used] / peak.measured[phase] for peak in peaks]) * guess
        expected = known[phase][used] / guess if known else np.ones(len(used))
        hold = _HOLD_KNOWN if known else _HOLD
        normal = rows.T @ rows + hold * np.eye(len(used))
        constants = np.zeros(len(NAMES))
        constants[used] = least_squares(normal, rows.sum(axis=0) + hold * expected) * guess
        found[phase] = constants
    return found


def predicted_bytes(constants: Mapping[Phase, Terms], terms: Terms) -> float:
    return max(float(constants[phase] @ terms) for phase in PHASES)


def judge(peaks: Sequence[Peak], elders: Sequence[Peak] = ()) -> tuple[Judged, ...]:
    """Every peak that is no probe's, predicted from probes and all other families, ``elders`` of its family left out too."""
    found = []
    for family in sorted({peak.family for peak in peaks} - {PROBE}):
        constants = fit_memory(_without(family, peaks), _without(family, elders))
        found += [
            Judged(peak, predicted_bytes(constants, peak.terms)) for peak in peaks if peak.family == family
        ]
    return tuple(found)


def _without(family: str, peaks: Sequence[Peak]) -> list[Peak]:
    return [peak for peak in peaks if peak.family != family]


def elders_of(peaks: Sequence[Peak], every: Iterable[Peak]) -> list[Peak]:
    """Those of ``every`` on x86-64 that are of the series of ``peaks`` but for the architecture; none for x86-64."""
    runtime, precision, arch = peaks[0].series
    elder = (runtime, precision, FIRST)
    return [peak for peak in every if arch != FIRST and peak.series == elder]


def by_series(peaks: Iterable[Peak]) -> Mapping[tuple[str, str, str], list[Peak]]:
    """Peaks that are fitted together, series in order, those of ``FIRST`` before all others."""
    found: dict[tuple[str, str, str], list[Peak]] = {}
    for peak in sorted(peaks, key=lambda peak: (peak.arch != FIRST, peak.series)):
        found.setdefault(peak.series, []).append(peak)
    return found


def read_peaks(path: Path = MEASURED) -> tuple[Peak, ...]:
    """The recorded peaks."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            Peak(
                model=row["model"],
                family=row["family"],
                runtime=row["runtime"],
                version=row["version"],
                precision=row["precision"],
                arch=row["arch"],
                kind=row["kind"],
                measured={phase: int(row[f"{phase}_bytes"]) for phase in PHASES},
                terms=np.array([float(row[name]) for name in NAMES]),
            )
            for row in csv.DictReader(file)
        )


def write_peaks(peaks: Iterable[Peak], path: Path = MEASURED) -> None:
    """Record ``peaks``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        own = ("model", "family", "runtime", "version", "precision", "arch", "kind")
        writer.writerow((*own, *(f"{phase}_bytes" for phase in PHASES), *NAMES))
        for peak in peaks:
            facts = [getattr(peak, name) for name in own]
            amounts = [f"{amount:.0f}" for amount in peak.terms]
            writer.writerow((*facts, *(peak.measured[phase] for phase in PHASES), *amounts))
