"""The rooms of the engine build on each other one way, and nothing is imported where it must not be.

A model goes through the rooms in the order of ``ROOMS``; a room imports the ones before it. The runner is held to
rules of its own in ``runner/test_standalone.py``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[1] / "edgekit"
CONVERTERS = ENGINE.parent / "converters"
DEFINITIONS = {"converters", "targets", "profiles"}

BASE = {
    "",
    "catalog_schema",
    "digest",
    "errors",
    "paths",
    "progress",
    "staging",
    "strict",
    "telemetry",
    "vocabulary",
}
"""Modules that every room may use; "" is the package itself, which holds the version."""
ROOMS = (
    "host",
    "catalog",
    "contracts",
    "data",
    "models",
    "quantization",
    "simulation",
    "conversion",
    "bundles",
    "runner",
    "devices",
    "camera",
    "profiling",
    "tuning",
    "reports",
    "doctor",
    "cli",
)
QUANTIZATION = ("worker.py", "sensitivity_worker.py")
WORKERS = [
    *(ENGINE / "quantization" / name for name in QUANTIZATION),
    *sorted(CONVERTERS.glob("*/worker.py")),
]
PROTOCOL = "edgekit.conversion.protocol"
"""What workers, wherever they live, name under TYPE_CHECKING."""

REACHES_AHEAD = {
    # what users call stands at the front door; it is imported on demand
    ("edgekit", "camera"),
    # verify starts the device that it is given
    ("edgekit.bundles.verify", "devices"),
    # convert writes down what it did in the records of a bundle's manifest …
    ("edgekit.conversion.answers", "bundles"),
    ("edgekit.conversion.choose", "bundles"),
    ("edgekit.conversion.results", "bundles"),
    ("edgekit.conversion.workshop", "bundles"),
    # … lays candidates out as bundles and hands one of them out …
    ("edgekit.conversion.against", "bundles"),
    ("edgekit.conversion.places", "bundles"),
    ("edgekit.conversion.serve", "bundles"),
    ("edgekit.conversion.trial", "bundles"),
    # … and asks and times them on a device
    ("edgekit.conversion.against", "devices"),
    ("edgekit.conversion.answers", "devices"),
    ("edgekit.conversion.serve", "devices"),
    ("edgekit.conversion.trial", "devices"),
    # … on one with the target's instruction set, too
    ("edgekit.conversion.isa", "bundles"),
    ("edgekit.conversion.isa", "devices"),
    ("edgekit.conversion.choose", "profiling"),
    ("edgekit.conversion.trial", "profiling"),
}
"""Who uses a later room. This list may only shrink: a line that is no longer true fails too."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name, in full."""

    name: str
    typing_only: bool
    at_start: bool
    """Executed when the module is imported, not inside a function."""


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    return tuple(_walk(ast.parse(path.read_text()), _package(path), typing_only=False, at_start=True))


def _walk(node: ast.AST, package: str, *, typing_only: bool, at_start: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for name in _names(child, package):
                yield Import(name, typing_only, at_start and not typing_only)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from _walk(child, package, typing_only=True, at_start=False)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, package, typing_only=typing_only, at_start=at_start and not inside)


def _names(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    outer = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    origin = ".".join([*outer, *([node.module] if node.module else [])])
    return [f"{origin}.{alias.name}" for alias in node.names]


def _package(path: Path) -> str:
    return ".".join(path.parent.relative_to(ENGINE.parent).parts)


def module_of(path: Path) -> str:
    return _package(path) if path.name == "__init__.py" else f"{_package(path)}.{path.stem}"


MODULES = {module_of(path): path for path in sorted(ENGINE.rglob("*.py"))}


def module_named(name: str) -> str | None:
    """The module of the engine that ``name`` is, or that it stands in."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def room_of(module: str) -> str:
    return f"{module}.".split(".")[1]


def is_ahead(module: str, name: str) -> bool:
    here, there = room_of(module), room_of(module_named(name) or "")
    return there not in BASE and (here in BASE or ROOMS.index(there) > ROOMS.index(here))


def test_every_module_is_in_a_room() -> None:
    assert {room_of(module) for module in MODULES} == BASE | set(ROOMS)


def test_no_room_imports_a_later_one() -> None:
    ahead = {
        (module, room_of(item.name))
        for module, path in MODULES.items()
        for item in imports_of(path)
        if module_named(item.name) and is_ahead(module, item.name)
        if not (path in WORKERS and item.typing_only and item.name.startswith(f"{PROTOCOL}."))
    }
    assert ahead - REACHES_AHEAD == set(), "a room imports a later one"
    assert REACHES_AHEAD - ahead == set(), "no longer true: take these lines out of REACHES_AHEAD"


def test_no_room_imports_definitions() -> None:
    found = {
        (module, item.name)
        for module, path in MODULES.items()
        for item in imports_of(path)
        if item.name.partition(".")[0] in DEFINITIONS
    }
    assert found == set()


@pytest.mark.parametrize("path", WORKERS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_worker_needs_nothing_of_the_engine_at_run_time(path: Path) -> None:
    """A converter's environment does not hold edgekit; quantization's worker runs in the engine's own."""
    room = "edgekit.quantization." if ENGINE in path.parents else "\0"
    needed = {
        item.name for item in imports_of(path) if item.name.startswith("edgekit") and not item.typing_only
    }
    assert {name for name in needed if not name.startswith(room)} == set()


def test_the_command_starts_on_typer_alone() -> None:
    """Whatever else a verb needs it imports when it is called."""
    allowed = set(sys.stdlib_module_names) | {"edgekit", "typer"}
    found = {
        (module, item.name)
        for module in _loaded_at_start("edgekit.cli.main")
        for item in imports_of(MODULES[module])
        if item.at_start and item.name.partition(".")[0] not in allowed
    }
    assert found == set()


def _loaded_at_start(first: str) -> set[str]:
    """The engine's modules that are imported along with ``first``."""
    loaded: set[str] = set()
    waiting = {first}
    while waiting:
        module = waiting.pop()
        loaded.add(module)
        names = [item.name for item in imports_of(MODULES[module]) if item.at_start]
        found = {named for name in names if (named := module_named(name))}
        if "." in module:
            found.add(module.rpartition(".")[0])
        waiting |= found - loaded
    return loaded
