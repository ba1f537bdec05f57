"""Targets, profiles and converters: find their files, read them strictly, report every problem at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgekit.catalog.files import KINDS, SINGULAR, Kind, Place
from edgekit.catalog.reading import read
from edgekit.catalog.rules import near_miss
from edgekit.catalog_schema import Converter, Profile, Target
from edgekit.errors import CatalogError

__all__ = ["Catalog", "Kind", "Place", "check", "load_catalog"]

Record = TypeVar("Record", Target, Profile, Converter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All definitions by id, sorted, and where each was found."""

    targets: Mapping[str, Target]
    profiles: Mapping[str, Profile]
    converters: Mapping[str, Converter]
    places: Mapping[tuple[Kind, str], Place]

    def target(self, target_id: str) -> Target:
        """CatalogError, with the near miss, where there is none of that id."""
        return _named(self.targets, target_id, "targets")

    def profile(self, profile_id: str) -> Profile:
        """CatalogError, with the near miss, where there is none of that id."""
        return _named(self.profiles, profile_id, "profiles")

    def converter(self, converter_id: str) -> Converter:
        """CatalogError, with the near miss, where there is none of that id."""
        return _named(self.converters, converter_id, "converters")

    def converter_dir(self, converter_id: str) -> Path:
        """The folder of a converter, with its worker and lock."""
        return self.places["converters", self.converter(converter_id).id].path.absolute().parent


def load_catalog() -> Catalog:
    """Read every definition. CatalogError with every problem of every file."""
    records, places, problems = read()
    if problems:
        raise CatalogError(_message(problems))
    return Catalog(
        targets=records.targets, profiles=records.profiles, converters=records.converters, places=places
    )


def check(given: Mapping[Kind, Sequence[Path]] | None = None) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Read every definition and ``given`` files before them; return the files read and every problem."""
    _, places, problems = read(given)
    return tuple(places[key].path for key in sorted(places, key=_order)), tuple(problems)


def _order(key: tuple[Kind, str]) -> tuple[int, str]:
    return KINDS.index(key[0]), key[1]


def _message(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return "\n  ".join([f"{len(problems)} problems in the catalog:", *problems])


def _named(records: Mapping[str, Record], wanted: str, kind: Kind) -> Record:
    if wanted in records:
        return records[wanted]
    raise CatalogError(
        f"there is no {SINGULAR[kind]} '{wanted}'{near_miss(wanted, records)}. Try: edgekit {kind} ls"
    )
