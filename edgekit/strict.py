"""Read a TOML or JSON file against a schema; report every problem at once, with the near miss named."""

from __future__ import annotations

import difflib
import json
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Strict(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


Record = TypeVar("Record", bound=BaseModel)


def read_record(path: Path, schema: type[Record]) -> tuple[Record | None, list[str]]:
    """Read ``path`` (.toml or .json) as ``schema``; return the record or None, and one line per problem."""
    data, problems = read_data(path)
    return (None, problems) if problems else check_record(data, schema, where=str(path))


def read_data(path: Path) -> tuple[Any, list[str]]:
    """Parse ``path`` (.toml or .json) without a schema; return its data or None, and what is wrong with it."""
    try:
        raw = path.read_bytes()
        return json.loads(raw) if path.suffix == ".json" else _toml(raw.decode()), []
    except OSError as error:
        return None, [f"{path}: cannot be read: {error.strerror}"]
    except (ValueError, RecursionError) as error:  # TOML, JSON and UTF-8 errors are all ValueErrors
        return None, [f"{path}: {error}"]


@lru_cache(maxsize=256)
def _toml(text: str) -> dict[str, Any]:
    """Who gets it leaves it as it is. The catalog is read several times in a process: half of that time was this."""
    return tomllib.loads(text)


def check_record(data: object, schema: type[Record], *, where: str) -> tuple[Record | None, list[str]]:
    """Check parsed ``data`` against ``schema``; ``where`` opens each problem line."""
    try:
        return schema.model_validate(data), []
    except ValidationError as error:
        return None, [f"{where}: {_line(detail, schema)}" for detail in _causes(error.errors())]


def _causes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without the tables that pydantic calls too short only because what is in them is wrong."""
    locations = [detail["loc"] for detail in details]
    return [
        detail
        for detail in details
        if detail["type"] != "too_short"
        or not any(other[: len(detail["loc"])] == detail["loc"] != other for other in locations)
    ]


def _line(detail: ErrorDetails, schema: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            near = _near_miss(detail["loc"], schema)
            return f"{key}: unknown key" + (f"; did you mean '{near}'?" if near else "")
        case "missing":
            return f"{key}: missing"
        case "literal_error":
            return f"{key}: {_not_one_of(str(detail['input']), detail['ctx']['expected'])}"
        case "union_tag_invalid":  # pydantic names the table, not the key in it that says which kind it is
            context = detail["ctx"]
            kind = context["discriminator"].strip("'")
            return f"{key}.{kind}: {_not_one_of(context['tag'], context['expected_tags'])}"
        case "union_tag_not_found":
            kind = detail["ctx"]["discriminator"].strip("'")
            return f"{key}.{kind}: missing"
        case "value_error":
            return (
                f"{key}: {detail['msg'].removeprefix('Value error, ')}"
                if key
                else detail["msg"].removeprefix("Value error, ")
            )
        case _:
            return f"{key}: {detail['msg'][0].lower()}{detail['msg'][1:]} (given: {detail['input']!r:.60})"


def _not_one_of(given: str, expected: str) -> str:
    """``expected`` as pydantic lists it: ``'a', 'b' or 'c'``."""
    known = [value.strip(" '") for value in expected.replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(given, known, n=1)
    return f"'{given}' is not one of {expected}" + (f"; did you mean '{near[0]}'?" if near else "")


def _near_miss(location: tuple[int | str, ...], schema: type[BaseModel]) -> str | None:
    """The known key of the enclosing table that comes nearest to the unknown one."""
    tables: list[type[BaseModel]] = [schema]
    for part in location[:-1]:
        if isinstance(part, str):
            fields = [table.model_fields[part] for table in tables if part in table.model_fields]
            tables = [found for field in fields for found in _models_in(field.annotation)] or tables
    known = [field.alias or name for table in tables for name, field in table.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.6)
    return close[0] if close else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]
