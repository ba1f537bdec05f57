"""Targets, profiles and converters: find their files, read them strictly, report every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edgekit.catalog.files import KINDS, SINGULAR, Kind, Place
from edgekit.catalog.integers import integer_sums
from edgekit.catalog.reading import Problems, read
from edgekit.catalog.rules import near_miss
from edgekit.catalog_schema import Converter, Profile, Target
from edgekit.errors import CatalogError

__all__ = ["Catalog", "Kind", "Place", "check", "integer_sums", "load_catalog"]

Record = TypeVar("Record", Target, Profile, Converter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All definitions by id, sorted, and where each was found."""

    targets: Mapping[str, Target]
    profiles: Mapping[str, Profile]
    converters: Mapping[str, Converter]
    places: Mapping[tuple[Kind, str], Place]
    problems: Problems = field(default_factory=dict)
    """Of definitions that were left out; who asks for one is told."""

    def target(self, target_id: str) -> Target:
        """CatalogError where there is none of that id, with the near miss, or its file is broken."""
        return _named(self.targets, target_id, "targets", self.problems)

    def profile(self, profile_id: str) -> Profile:
        """CatalogError where there is none of that id, with the near miss, or its file is broken."""
        return _named(self.profiles, profile_id, "profiles", self.problems)

    def converter(self, converter_id: str) -> Converter:
        """CatalogError where there is none of that id, with the near miss, or its file is broken."""
        return _named(self.converters, converter_id, "converters", self.problems)

    def converter_dir(self, converter_id: str) -> Path:
        """The folder of a converter, with its worker and lock."""
        return self.places["converters", self.converter(converter_id).id].path.absolute().parent


def load_catalog(*, told: Callable[[str], object] | None = None) -> Catalog:
    """Read every definition. CatalogError with every problem of every file.

    With ``told``, which then gets a message with them, broken definitions are left out: what has nothing to do with
    them goes on.
    """
    records, places, found = read()
    problems = {key: lines for key, lines in found.items() if lines}
    if problems:
        lines = [line for lines in problems.values() for line in lines]
        if told is None:
            raise CatalogError(_message(lines))
        told(f"left out, see edgekit targets check: {_message(lines)}")
    return Catalog(
        targets=_whole(records.targets, "targets", problems),
        profiles=_whole(records.profiles, "profiles", problems),
        converters=_whole(records.converters, "converters", problems),
        places=places,
        problems=problems,
    )


def check(given: Mapping[Kind, Sequence[Path]] | None = None) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Read every definition and ``given`` files before them; return the files read and every problem."""
    _, places, problems = read(given)
    return tuple(places[key].path for key in sorted(places, key=_order)), tuple(
        line for lines in problems.values() for line in lines
    )


def _order(key: tuple[Kind, str]) -> tuple[int, str]:
    return KINDS.index(key[0]), key[1]


def _message(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return "\n  ".join([f"{len(problems)} problems in the catalog:", *problems])


def _whole(records: Mapping[str, Record], kind: Kind, problems: Problems) -> dict[str, Record]:
    return {name: record for name, record in records.items() if (kind, name) not in problems}


def _named(records: Mapping[str, Record], wanted: str, kind: Kind, problems: Problems) -> Record:
    if wanted in records:
        return records[wanted]
    if (kind, wanted) in problems:
        raise CatalogError(_message(problems[kind, wanted]))
    near = near_miss(wanted, records)
    raise CatalogError(
        f"there is no {SINGULAR[kind]} '{wanted}'{near}{'' if near else '.'} Try: edgekit {kind} ls"
    )
