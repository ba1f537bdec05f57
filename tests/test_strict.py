"""Strict reading: every problem once, with its key and the near miss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from edgekit.strict import Strict, read_data, read_record


class Wheel(Strict):
    spokes: int
    colour: Literal["red", "green"] = "red"


class Bell(Strict):
    kind: Literal["bell"]


class Horn(Strict):
    kind: Literal["horn"]


class Bicycle(Strict):
    version: Literal[1] = Field(alias="schema")
    wheels: tuple[Wheel, ...] = Field(min_length=2)
    name: str
    signal: Annotated[Bell | Horn, Field(discriminator="kind")] | None = None


GOOD = {"schema": 1, "name": "one", "wheels": [{"spokes": 32}, {"spokes": 36, "colour": "green"}]}


def lines(tmp_path: Path, **changed: object) -> list[str]:
    path = tmp_path / "bicycle.json"
    path.write_text(
        json.dumps({key: value for key, value in {**GOOD, **changed}.items() if value is not None})
    )
    record, problems = read_record(path, Bicycle)
    assert (record is None) == bool(problems)
    return [line.removeprefix(f"{path}: ") for line in problems]


def test_a_good_file_has_no_problem(tmp_path: Path) -> None:
    assert lines(tmp_path) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"nmae": "two"}, ["nmae: unknown key; did you mean 'name'?"]),
        ({"shcema": 1}, ["shcema: unknown key; did you mean 'schema'?"]),
        ({"signal": {"kind": "hron"}},
         ["signal.kind: 'hron' is not one of 'bell', 'horn'; did you mean 'horn'?"]),
        ({"signal": {"sort": "horn"}}, ["signal.kind: missing"]),
        ({"xyz": 1}, ["xyz: unknown key"]),
        ({"name": None}, ["name: missing"]),
        ({"wheels": [{"spokes": 1}, {"spoke": 2}]},
         ["wheels.1.spokes: missing", "wheels.1.spoke: unknown key; did you mean 'spokes'?"]),
        ({"wheels": [{"spokes": 1}, {"spokes": 1, "colour": "gren"}]},
         ["wheels.1.colour: 'gren' is not one of 'red' or 'green'; did you mean 'green'?"]),
    ],
)  # fmt: skip
def test_problems_name_the_key(tmp_path: Path, changed: dict[str, object], expected: list[str]) -> None:
    assert lines(tmp_path, **changed) == expected


def test_a_table_is_short_only_where_something_is_left_out(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, wheels=[{"spokes": 1}])
    assert line.startswith("wheels: tuple should have at least 2 items")
    wrong = lines(tmp_path, wheels=[{"spokes": "many"}, {"spokes": "few"}])
    assert [line.split(":")[0] for line in wrong] == ["wheels.0.spokes", "wheels.1.spokes"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", b"a = "),
        ("a.json", b"{"),
        ("a.toml", b"\xff"),
        ("a.json", b"[" * 100_000),
        ("a.toml", b"a = 1\na = 2"),
    ],
)
def test_what_is_no_toml_or_json_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    data, problems = read_data(path)
    assert data is None
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}: ")
    assert "\n" not in problems[0]


def test_an_absent_file_is_one_line(tmp_path: Path) -> None:
    assert read_data(tmp_path / "none.toml") == (
        None,
        [f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"],
    )
