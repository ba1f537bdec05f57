"""Write what was calibrated into a profile's file, and leave all else in it as it stands."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import tomlkit
from tomlkit.items import AoT, Item, Table

from edgekit.simulation.calibrating import Calibration
from edgekit.simulation.published import Series

Speeds = Literal["speeds", "counted_speeds"]
Fitted = Mapping[Series, Calibration]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """Where the measurements behind some of the speeds stand."""

    title: str
    where: str
    places: Sequence[int]
    """Positions of the speeds."""
    of: Speeds = "speeds"


def with_speeds(text: str, fitted: Mapping[Speeds, Fitted], vouchers: Sequence[Voucher]) -> str:
    """``text`` of a profile with the speeds that were ``fitted``, and ``vouchers`` for them among its sources.

    Earlier ones of the same kind and their sources are replaced.
    """
    document = tomlkit.parse(text)
    kept = [source for source in document.get("sources", []) if not _is_of(fitted, source)]
    for key in (*fitted, "sources"):
        if key in document:
            del document[key]
    for key, speeds in fitted.items():
        if speeds:
            document.append(key, _tables([_speed(key, series, found) for series, found in speeds.items()]))
    document.append("sources", _tables([*kept, *map(_source, vouchers)]))
    return tomlkit.dumps(document).rstrip() + "\n"


def _is_of(kinds: Container[str], source: Mapping[str, Sequence[str]]) -> bool:
    return all(fact.split(".")[0] in kinds for fact in source["facts"])


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


def _speed(kind: Speeds, series: Series, found: Calibration) -> dict[str, object]:
    threads = {"threads": series.threads} if series.threads else {}
    # one set of constants from counts serves every precision
    precision = {"precision": series.precision} if kind == "speeds" else {}
    covered = {"covered": list(found.covered)} if kind == "speeds" else {}
    return {
        "runtime": series.runtime,
        "version": series.version,
        **precision,
        **threads,
        "measurements": found.measurements,
        "families": found.families,
        "error_pct": {"median": found.median_pct, "p90": found.p90_pct},
        "interval_factor": found.interval_factor,
        "latency_ms": list(found.latency_ms),
        **covered,
        **({"transferred_from": found.transferred_from} if found.transferred_from else {}),
        "constants_ps": dict(found.constants_ps),
    }


def _source(voucher: Voucher) -> dict[str, object]:
    return {
        "facts": [f"{voucher.of}.{place}" for place in voucher.places],
        "title": voucher.title,
        "where": voucher.where,
        "basis": "derived",
    }
