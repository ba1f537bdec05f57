"""How the catalog's verbs print one definition: its facts, its sources, and where it was found."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from edgekit.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from edgekit.catalog import Catalog, Kind, Place
    from edgekit.catalog_schema import Converter, Profile, Source, Target

Record = TypeVar("Record", bound="Target | Profile")
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def usable_catalog() -> Catalog:
    """The catalog without definitions whose files are broken, which are told on stderr."""
    from edgekit.catalog import load_catalog

    return load_catalog(told=note)


def print_records(
    kind: Kind,
    records: Mapping[str, Record],
    catalog: Catalog,
    columns: Sequence[str],
    row: Callable[[Record], Sequence[str]],
    *,
    json: bool,
) -> None:
    """What ``ls`` prints: each definition in a row of its own, between its id and where its file was found."""
    places = {name: catalog.places[kind, name] for name in records}
    if json:
        print_json({kind: [found(record, places[name]) for name, record in records.items()]})
        return
    rows = [(name, *row(record), places[name].origin) for name, record in records.items()]
    print_table((kind.removesuffix("s"), *columns, "from"), rows)


def found(record: Target | Profile | Converter, place: Place) -> dict[str, Any]:
    """The record as its file states it (or the machine, where detected), and which file that is."""
    facts: dict[str, Any] = record.model_dump(mode="json", by_alias=True)
    return {**facts, "path": str(place.path.absolute()), "origin": place.origin}


def print_facts(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """A heading and aligned lines; rows whose value is None or empty are left out."""
    typer.echo(title)
    print_aligned([((key,), str(value)) for key, value in rows if value not in (None, "", ())])
    typer.echo()


def print_sources(sources: Sequence[Source]) -> None:
    """Each source with the facts it vouches for above it; addresses are never broken."""
    typer.echo("Sources")
    for source in sources:
        for text, indent in (
            (f"{', '.join(source.facts)} ({source.basis})", 2),
            (source.title, 4),
            (source.where, 4),
        ):
            typer.echo("\n".join(_wrapped(text, indent)))


def print_aligned(rows: Sequence[tuple[tuple[str, ...], str]]) -> None:
    """Lines of words in columns and a text that is wrapped to the terminal's width under itself."""
    widths = [
        max((len(word) for word in column), default=0)
        for column in zip(*(words for words, _ in rows), strict=True)
    ]
    for words, text in rows:
        head = "  " + "".join(f"{word:<{width + 2}}" for word, width in zip(words, widths, strict=True))
        lines = [line for part in text.splitlines() for line in _wrapped(part, len(head))]
        typer.echo((head + "\n".join(lines).lstrip()).rstrip())


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    width = max(min(shutil.get_terminal_size().columns, 120) - 1, indent + 30)
    return textwrap.wrap(
        text,
        width,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )


def si(value: float | None, unit: str) -> str | None:
    """``si(2.4e9, "Hz")`` -> ``2.4 GHz``; None stays None."""
    if value is None:
        return None
    factor, prefix = next(((size, letter) for size, letter in _PREFIXES if value >= size), (1.0, ""))
    return f"{value / factor:.4g} {prefix}{unit}"


def binary(value: int | None) -> str | None:
    """``binary(524288)`` -> ``512 KiB``; None stays None."""
    if value is None:
        return None
    power = next((exponent for exponent in (3, 2, 1) if value >= 1024**exponent), 0)
    return f"{value / 1024**power:.3g} {('B', 'KiB', 'MiB', 'GiB')[power]}"


def counted(number: int, thing: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def check_files(kind: Kind, files: Sequence[Path], *, json: bool) -> None:
    """Check the whole catalog and ``files`` as further ones of ``kind``; exit 1 where anything is wrong."""
    from edgekit.catalog import check

    read, problems = check({kind: files})
    if json:
        print_json({"files": [str(path) for path in read], "problems": list(problems)})
    else:
        for problem in problems:
            note(problem)
        typer.echo(f"{counted(len(read), 'file')} read, {counted(len(problems), 'problem')}")
    if problems:
        raise typer.Exit(1)
