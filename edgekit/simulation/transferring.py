"""Speeds of a chip of which next to nothing was measured: those of another of its architecture.

Two ways. By what both chips can do at most: constants of arithmetic by the peak rates of their NPUs, those of traffic by
the bandwidth of their memories, overhead as it is. Where no peak rate was published but a model or two was timed: all
constants times what these took. Either is held to what it would have said of the chips that were measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from edgekit.catalog_schema import Profile, Transfer
from edgekit.errors import DataError
from edgekit.simulation.calibrating import Calibration, calibration_of
from edgekit.simulation.choosing import chosen
from edgekit.simulation.crossing import HeldOut, Point, points_of
from edgekit.simulation.fitting import fit_constants, fit_population
from edgekit.simulation.published import Series, published
from edgekit.simulation.terms import IN_GROUP, NAMES, Terms

Profiles = Mapping[str, Profile]


def transferred(
    profile: Profile, transfer: Transfer, profiles: Profiles
) -> tuple[Series, Calibration, tuple[Series, ...]]:
    """The key of the new speeds, the speeds, and the series that they stand on.

    DataError where nothing was published of the chip that speeds are to be taken from, or a peak is not known.
    """
    source = _series(transfer.profile, transfer.of_runtime)
    points = published()[source]
    constants, timed = _fitted(points), _timed(profile.id, transfer.runtime)
    if timed and _peaks(profile) is None:
        constants = constants * _pace([point for known in timed.values() for point in known], constants)
        held_out = [entry for _, entry in tried_by_rows(transfer, sum(map(len, timed.values())))]
        used, key = (source, *timed), next(iter(timed))
    else:
        constants = constants * _ratios(profiles[transfer.profile], profile)
        held_out = [entry for _, entry in tried_by_peaks(transfer, profiles)]
        used, key = (source,), replace(source, board=profile.id, runtime=transfer.runtime)
    if not held_out:
        raise DataError(
            f"{profile.id}: no other chip was measured with {transfer.of_runtime} to try the transfer on"
        )
    there = [replace(point, latency_ms=float(point.terms @ constants)) for point in points]
    found = calibration_of(there, NAMES, constants * 1e9, held_out, held_out)
    return key, replace(found, transferred_from=transfer.profile), used


def _series(board: str, runtime: str) -> Series:
    found = [series for series in chosen(published(), board) if series.runtime == runtime]
    if not found:
        raise DataError(f"nothing was published of '{board}' with {runtime} for speeds to be taken from")
    return found[0]


def _timed(board: str, runtime: str) -> Mapping[Series, Sequence[Point]]:
    """What was published of the chip itself, which is too little to fit."""
    return {
        series: points
        for series, points in published().items()
        if (series.board, series.runtime) == (board, runtime)
    }


def _fitted(points: Sequence[Point]) -> Terms:
    """Constants of one chip by its own measurements alone."""
    own = points_of(points)
    return fit_constants(own, fit_population([own]))


def _ratios(measured: Profile, wanted: Profile) -> Terms:
    """How much longer each term takes on ``wanted``: DataError where a peak of either is not known."""
    known = [_peaks(profile) for profile in (measured, wanted)]
    for profile, peaks in zip((measured, wanted), known, strict=True):
        if peaks is None:
            raise DataError(
                f"profile '{profile.id}': speeds are taken over by peak rates, of which it states not all"
            )
    (arithmetic, traffic), (less_arithmetic, less_traffic) = (peaks for peaks in known if peaks)
    return np.asarray(IN_GROUP @ np.array([arithmetic / less_arithmetic, traffic / less_traffic, 1.0]))


def _peaks(profile: Profile) -> tuple[float, float] | None:
    """Of its NPU in fp16, and of its memory."""
    rate = next((item.peak_fp16_ops_per_s for item in profile.accelerators if item.kind == "npu"), None)
    bandwidth = profile.memory.bandwidth_bytes_per_s
    return (float(rate), float(bandwidth)) if rate and bandwidth else None


def _pace(points: Sequence[Point], constants: Terms) -> float:
    """The geometric mean of what ``points`` took to what ``constants`` say."""
    return float(np.exp(np.mean([np.log(point.latency_ms / (point.terms @ constants)) for point in points])))


def _elsewhere(source: Series) -> Iterator[tuple[str, Sequence[Point], str, Terms]]:
    """Every other chip that was measured, family by family, with the constants of ``source`` without that family."""
    points = published()[source]
    boards = sorted(
        {series.board for series in published() if series.runtime == source.runtime} - {source.board}
    )
    others = {
        board: published()[series]
        for board in boards
        for series in chosen(published(), board)
        if (series.runtime, series.precision) == (source.runtime, source.precision)
    }
    for family in sorted({point.family for known in others.values() for point in known}):
        constants = _fitted([point for point in points if point.family != family])
        for board, known in others.items():
            if any(point.family == family for point in known):
                yield board, known, family, constants


def tried_by_peaks(transfer: Transfer, profiles: Profiles) -> Iterator[tuple[str, HeldOut]]:
    """What a transfer by peaks would have said of each other chip that was measured: its profile, and each of its models.

    Neither the chip nor the model's family took part.
    """
    for board, known, family, constants in _elsewhere(_series(transfer.profile, transfer.of_runtime)):
        there = constants * _ratios(profiles[transfer.profile], profiles[board])
        for point in known:
            if point.family == family:
                yield board, HeldOut(point, float(point.terms @ there))


def tried_by_rows(transfer: Transfer, count: int) -> Iterator[tuple[str, HeldOut]]:
    """The same of a transfer by ``count`` models that were timed there: every choice of such of other families."""
    for board, known, family, constants in _elsewhere(_series(transfer.profile, transfer.of_runtime)):
        for timed in combinations([point for point in known if point.family != family], count):
            pace = _pace(timed, constants)
            for point in known:
                if point.family == family:
                    yield board, HeldOut(point, float(point.terms @ constants) * pace)
