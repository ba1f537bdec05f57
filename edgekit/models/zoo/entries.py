"""Read the zoo: one TOML file a model, its name is the model's id."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

from edgekit.errors import CatalogError, ModelError
from edgekit.models.zoo.schema import ZooModel
from edgekit.strict import read_record

FOLDER = Path(__file__).parent


def read_entries(folder: Path) -> dict[str, ZooModel]:
    """Read every ``*.toml`` of ``folder``; CatalogError with all problems of all files."""
    found: dict[str, ZooModel] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        entry, wrong = read_record(path, ZooModel)
        problems += wrong
        if entry is None:
            continue
        if entry.id != path.stem:
            problems.append(f"{path}: id: '{entry.id}' is not the file's name '{path.stem}'")
        found[path.stem] = entry
    problems += [
        f"{folder / name}.toml: base.id: no model '{entry.base.id}'"
        for name, entry in found.items()
        if entry.base is not None and entry.base.id not in found
    ]
    if problems:
        raise CatalogError("\n".join(problems))
    return found


@cache
def entries() -> dict[str, ZooModel]:
    """The models that come with edgekit, by id."""
    return read_entries(FOLDER)


def entry(model_id: str) -> ZooModel:
    """The model of this id; ModelError with the near miss."""
    known = entries()
    if model_id in known:
        return known[model_id]
    close = difflib.get_close_matches(model_id, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise ModelError(f"the zoo has no model '{model_id}'{hint} Try: edgekit models ls")
