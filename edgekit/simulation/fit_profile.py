"""Make the speeds of a profile, from published measurements or from a user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.catalog_schema import Profile
from edgekit.errors import DataError
from edgekit.simulation.calibrating import Calibration, calibrate
from edgekit.simulation.choosing import chosen
from edgekit.simulation.count_fitting import calibrate_counts
from edgekit.simulation.count_points import akin, counted_runs
from edgekit.simulation.crossing import Point
from edgekit.simulation.own_rows import read_rows
from edgekit.simulation.published import Origin, Series, nearest_population, origins, published
from edgekit.simulation.transferring import transferred
from edgekit.simulation.writing import Speeds, Voucher, with_speeds

_FITTED: Mapping[Speeds, str] = {
    "speeds": "Fitted to published latencies",
    "counted_speeds": "Emulated counts, fitted to published latencies",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedProfile:
    """A profile's text with new speeds, and what they were fitted to."""

    text: str
    speeds: Mapping[Series, Calibration]
    counted_speeds: Mapping[Series, Calibration] = field(default_factory=dict)
    """By the series in floats; those in integers are in them."""


def fit_published(profile: Profile, text: str, profiles: Mapping[str, Profile]) -> FittedProfile:
    """``text`` of ``profile`` with speeds fitted to what was published of it; DataError where nothing was.

    From emulated counts as well, where the profile's core was counted, and from other chips where its own file names them.
    profiles: all that are known, for those of the same core say what to expect of it.
    """
    taken_over = {transfer.runtime for transfer in profile.transfers}
    wanted = [series for series in chosen(published(), profile.id) if series.runtime not in taken_over]
    if not wanted and not profile.transfers:
        boards = sorted({series.board for series in published()})
        raise DataError(
            f"nothing was published of '{profile.id}'; measure a few models there and give them with --rows. "
            f"Published: {', '.join(boards)}"
        )
    found: Mapping[Series, Calibration] = _calibrated({series: published()[series] for series in wanted})
    runs = counted_runs(profile)
    kin = [*(other for other in profiles.values() if other.id != profile.id), profile]
    by_counts = {run.series[0]: calibrate_counts(run, akin(run, kin)) for run in runs}
    standing: list[tuple[Series, ...]] = [(series,) for series in found]
    for transfer in profile.transfers:
        series, calibration, used = transferred(profile, transfer, profiles)
        found, standing = {**found, series: calibration}, [*standing, used]
    vouchers = [
        *_vouchers("speeds", standing),
        *_vouchers("counted_speeds", [run.series for run in runs]),
    ]
    new = with_speeds(text, {"speeds": found, "counted_speeds": by_counts}, vouchers)
    return FittedProfile(text=new, speeds=found, counted_speeds=by_counts)


def _vouchers(of: Speeds, fitted: Sequence[Sequence[Series]]) -> list[Voucher]:
    """One for each place that measurements of the series stand at; ``fitted``: what each of the speeds stands on."""
    sources: dict[Origin, dict[int, None]] = {}
    for place, several in enumerate(fitted):
        for series in several:
            for origin in origins()[series]:
                sources.setdefault(origin, {})[place] = None
    return [
        Voucher(
            title=f"{_FITTED[of]} ({origin.statistic}; {origin.licence})",
            where=f"{origin.repository.removeprefix('github:')} {origin.path}@{origin.commit}",
            places=list(places),
            of=of,
        )
        for origin, places in sources.items()
    ]


def fit_rows(profile: Profile, text: str, rows: Path) -> FittedProfile:
    """``text`` of ``profile`` with speeds fitted to the measurements in ``rows``."""
    found = _calibrated(read_rows(rows, profile.id))
    voucher = Voucher(title="Fitted to own measurements", where=rows.name, places=range(len(found)))
    return FittedProfile(text=with_speeds(text, {"speeds": found}, [voucher]), speeds=found)


def _calibrated(own: Mapping[Series, Sequence[Point]]) -> Mapping[Series, Calibration]:
    """Fitted beside the population of the same runtime, else of the nearest."""
    found: dict[Series, Calibration] = {}
    for runtime, integer in dict.fromkeys((series.runtime, series.precision == "int8") for series in own):
        mine = {
            series: points
            for series, points in own.items()
            if (series.runtime, series.precision == "int8") == (runtime, integer)
        }
        others = nearest_population(runtime, "int8" if integer else "fp32")
        found |= calibrate({**others, **mine}, mine)
    return {series: found[series] for series in own}
