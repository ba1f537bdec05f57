"""Facts and their sources: every figure of a profile must be vouched for, and nothing else be named."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from edgekit.catalog_schema import Profile, Target

# what says which file it is and where its facts are from is not itself a fact
_NOT_FACTS = frozenset({"schema", "id", "name", "summary", "sources", "detected", "profile"})


def fact_problems(record: Target | Profile) -> list[str]:
    """One line for each source that names a key which is not there."""
    keys = _keys(record)
    return [
        f"sources.{index}.facts: '{pattern}' names nothing in this file{_near(pattern, keys)}"
        for index, source in enumerate(record.sources)
        for pattern in source.facts
        if not any(map(_covered_by(pattern), keys))
    ]


def unsourced(record: Profile) -> list[str]:
    """One line for each number, and list of instruction-set features, that no source vouches for."""
    # speeds hold hundreds of figures, whose sources name them one table at a time
    patterns = {pattern for source in record.sources for pattern in source.facts}
    with_stars = [_covered_by(pattern) for pattern in patterns if "*" in pattern]
    return [
        f"{key}: no source vouches for it; name it in the facts of one"
        for key, value in _leaves(_data(record))
        if _is_figure(value)
        and not (_tables_above(key) & patterns or any(covered(key) for covered in with_stars))
    ]


def _tables_above(key: str) -> set[str]:
    """``a.b.c`` -> a, a.b, a.b.c."""
    parts = key.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts) + 1)}


def _is_figure(value: Any) -> bool:
    return isinstance(value, (int, float, list)) and not isinstance(value, bool) and value != []


def _covered_by(pattern: str) -> Callable[[str], object]:
    """``cpu.clusters.*.clock_hz`` covers ``cpu.clusters.0.clock_hz``; ``cpu`` covers all below it."""
    parts = (r"[^.]*" if part == "*" else re.escape(part) for part in pattern.split("."))
    return re.compile(r"\.".join(parts) + r"(?:\.|\Z)").match


def _near(pattern: str, keys: Sequence[str]) -> str:
    close = difflib.get_close_matches(pattern, keys, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def _keys(record: BaseModel) -> list[str]:
    return [key for key, _ in _leaves(_data(record))]


def _data(record: BaseModel) -> dict[str, Any]:
    data = record.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in data.items() if key not in _NOT_FACTS}


def _leaves(data: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; a list of plain values is one leaf, tables in a list are numbered from 0."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _leaves(value, f"{above}.{key}".lstrip("."))
    elif isinstance(data, list) and data and isinstance(data[0], Mapping):
        for index, value in enumerate(data):
            yield from _leaves(value, f"{above}.{index}")
    else:
        yield above, data
