"""Read the files of the catalog and hold them against the schema and against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edgekit.catalog.detected import fill_in
from edgekit.catalog.files import KINDS, Kind, Place, find
from edgekit.catalog.rules import converter_problems, profile_problems, target_problems
from edgekit.catalog_schema import Converter, Profile, Target
from edgekit.strict import check_record, read_data

Record = TypeVar("Record", Target, Profile, Converter)
Places = Mapping[tuple[Kind, str], Place]
Problems = Mapping[tuple[Kind, str], list[str]]


@dataclass(frozen=True, slots=True)
class Records:
    """What could be read, by id."""

    targets: dict[str, Target] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    converters: dict[str, Converter] = field(default_factory=dict)


def read(given: Mapping[Kind, Sequence[Path]] | None = None) -> tuple[Records, Places, Problems]:
    """Read all files, ``given`` ones before those of the search folders; each one's problems, in the files' order."""
    places = {
        (kind, name): place
        for kind in KINDS
        for name, place in find(kind, (given or {}).get(kind, ())).items()
    }
    records = Records()
    problems: dict[tuple[Kind, str], list[str]] = {}
    for (kind, name), place in places.items():
        problems[kind, name] = _read_into(records, kind, name, place)
    for key, place in places.items():
        where = shown(place.path)
        problems[key] += [f"{where}: {line}" for line in _rule_problems(records, places, key)]
    return records, places, problems


def shown(path: Path) -> str:
    """The path for people: relative where it is below the current folder."""
    absolute, here = path.absolute(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _read_into(records: Records, kind: Kind, name: str, place: Place) -> list[str]:
    match kind:
        case "targets":
            return _read_one(records.targets, Target, kind, name, place)
        case "profiles":
            return _read_one(records.profiles, Profile, kind, name, place)
        case "converters":
            return _read_one(records.converters, Converter, kind, name, place)


def _read_one(
    into: dict[str, Record], schema: type[Record], kind: Kind, name: str, place: Place
) -> list[str]:
    where = shown(place.path)
    data, problems = read_data(Path(where))
    if problems:
        return problems
    data, problems = fill_in(kind, data, where)
    record, wrong = check_record(data, schema, where=where)
    if record is None:
        return problems + wrong
    if record.id != name:
        what = "folder" if kind == "converters" else "file"
        problems.append(f"{where}: id: '{record.id}', but the {what} is called '{name}'")
    into[name] = record
    return problems


def _rule_problems(records: Records, places: Places, key: tuple[Kind, str]) -> list[str]:
    kind, name = key
    if kind == "profiles" and name in records.profiles:
        return profile_problems(records.profiles[name])
    if kind == "converters" and name in records.converters:
        return converter_problems(records.converters[name], places[key])
    if kind == "targets" and name in records.targets:
        profiles = {other: records.profiles.get(other) for kind_, other in places if kind_ == "profiles"}
        converters = [records.converters.get(other) for kind_, other in places if kind_ == "converters"]
        return target_problems(records.targets[name], profiles, converters)
    return []
