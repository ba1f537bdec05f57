"""Make the speeds of a profile, from published measurements or from a user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import DataError
from edgekit.simulation.calibrating import Calibration, calibrate
from edgekit.simulation.choosing import chosen
from edgekit.simulation.crossing import Point
from edgekit.simulation.own_rows import read_rows
from edgekit.simulation.published import Origin, Series, nearest_population, origins, published
from edgekit.simulation.writing import Voucher, with_speeds


def fit_published(board: str, text: str) -> tuple[str, Mapping[Series, Calibration]]:
    """``text`` of the profile ``board`` with speeds fitted to what was published of it; DataError where nothing was."""
    wanted = chosen(published(), board)
    if not wanted:
        boards = sorted({series.board for series in published()})
        raise DataError(
            f"nothing was published of '{board}'; measure a few models there and give them with --rows. "
            f"Published: {', '.join(boards)}"
        )
    found = _calibrated({series: published()[series] for series in wanted})
    sources: dict[Origin, list[int]] = {}
    for place, series in enumerate(found):
        for origin in origins()[series]:
            sources.setdefault(origin, []).append(place)
    vouchers = [
        Voucher(
            title=f"Fitted to published latencies ({origin.statistic}; {origin.licence})",
            where=f"{origin.repository.removeprefix('github:')} {origin.path}@{origin.commit}",
            places=places,
        )
        for origin, places in sources.items()
    ]
    return with_speeds(text, found, vouchers), found


def fit_rows(board: str, text: str, rows: Path) -> tuple[str, Mapping[Series, Calibration]]:
    """``text`` of the profile ``board`` with speeds fitted to the measurements in ``rows``."""
    found = _calibrated(read_rows(rows, board))
    voucher = Voucher(title="Fitted to own measurements", where=rows.name, places=range(len(found)))
    return with_speeds(text, found, [voucher]), found


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
