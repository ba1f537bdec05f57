"""Write what was calibrated into a profile's file, and leave all else in it as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tomlkit
from tomlkit.items import AoT, Item, Table

from edgekit.simulation.calibrating import Calibration
from edgekit.simulation.published import Series

_OWN = "speeds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """Where the measurements behind some of the speeds stand."""

    title: str
    where: str
    places: Sequence[int]
    """Positions of the speeds."""


def with_speeds(text: str, speeds: Mapping[Series, Calibration], vouchers: Sequence[Voucher]) -> str:
    """``text`` of a profile with ``speeds``, and ``vouchers`` for them among its sources.

    Earlier speeds and their sources are replaced.
    """
    document = tomlkit.parse(text)
    kept = [source for source in document.get("sources", []) if not _is_of_speeds(source)]
    for key in (_OWN, "sources"):
        if key in document:
            del document[key]
    document.append(_OWN, _tables([_speed(series, found) for series, found in speeds.items()]))
    document.append("sources", _tables([*kept, *map(_source, vouchers)]))
    return tomlkit.dumps(document).rstrip() + "\n"


def _is_of_speeds(source: Mapping[str, Sequence[str]]) -> bool:
    return all(fact.split(".")[0] == _OWN for fact in source["facts"])


def _tables(entries: Sequence[Mapping[str, object]]) -> AoT:
    found = tomlkit.aot()
    for entry in entries:
        table: Table = tomlkit.table()
        for key, value in entry.items():
            table.add(key, _inline(value) if isinstance(value, dict) else value)
        table.add(tomlkit.nl())
        found.append(table)
    return found


def _inline(values: Mapping[str, object]) -> Item:
    table = tomlkit.inline_table()
    table.update(values)
    return table


def _speed(series: Series, found: Calibration) -> dict[str, object]:
    threads = {"threads": series.threads} if series.threads else {}
    return {
        "runtime": series.runtime,
        "version": series.version,
        "precision": series.precision,
        **threads,
        "measurements": found.measurements,
        "families": found.families,
        "error_pct": {"median": found.median_pct, "p90": found.p90_pct},
        "interval_factor": found.interval_factor,
        "latency_ms": list(found.latency_ms),
        "covered": list(found.covered),
        "constants_ps": dict(found.constants_ps),
    }


def _source(voucher: Voucher) -> dict[str, object]:
    return {
        "facts": [f"{_OWN}.{place}" for place in voucher.places],
        "title": voucher.title,
        "where": voucher.where,
        "basis": "derived",
    }
