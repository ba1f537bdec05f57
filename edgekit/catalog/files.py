"""Where the files of the catalog are: the project's folder first, then the user's, then the bundled ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["targets", "profiles", "converters"]
Origin = Literal["given", "project", "user", "bundled"]

KINDS: tuple[Kind, ...] = ("targets", "profiles", "converters")
SINGULAR: Mapping[Kind, str] = {"targets": "target", "profiles": "profile", "converters": "converter"}
CONVERTER_FILE = "converter.toml"
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file of the catalog and which of the search folders it is from."""

    path: Path
    origin: Origin


def bundled_folder() -> Path:
    """``edgekit/_catalog`` of an installed wheel; the repository in an editable install."""
    installed = _PACKAGE / "_catalog"
    return installed if installed.is_dir() else _PACKAGE.parent


def user_folder() -> Path:
    """``$XDG_CONFIG_HOME/edgekit``, else ``~/.config/edgekit``; may be absent."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "edgekit"


def find(kind: Kind, given: Sequence[Path] = ()) -> dict[str, Place]:
    """The files of ``kind`` by id, sorted; a nearer folder's file hides a farther one's of the same id.

    ``given`` files come before all folders.
    """
    found: dict[str, Place] = {}
    for origin, paths in _from_afar(kind):
        found |= {identity(kind, path): Place(path=path, origin=origin) for path in paths}
    found |= {identity(kind, path): Place(path=path, origin="given") for path in given}
    return dict(sorted(found.items()))


def identity(kind: Kind, path: Path) -> str:
    """The id a file must state: its name, or its folder's for a converter."""
    return path.absolute().parent.name if kind == "converters" else path.stem


def _from_afar(kind: Kind) -> Iterator[tuple[Origin, list[Path]]]:
    bundled, project = bundled_folder(), Path.cwd()
    pattern = f"*/{CONVERTER_FILE}" if kind == "converters" else "*.toml"
    yield "bundled", sorted((bundled / kind).glob(pattern))
    yield "user", sorted((user_folder() / kind).glob(pattern))
    if project.resolve() != bundled.resolve():  # in a checkout they are the same
        yield "project", sorted((project / kind).glob(pattern))
