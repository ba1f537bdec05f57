"""What every command prints with: facts on stdout (a table, or JSON for scripts), everything else on stderr."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgekit.progress import Advance

_BAR = 10
_LEAST_ROOM = 12

JsonOption = Annotated[bool, typer.Option("--json", help="Print the facts as JSON on stdout.")]


def print_json(facts: Any) -> None:
    """Print ``facts`` (JSON types only) on stdout."""
    json.dump(facts, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def stdout() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None
) -> None:
    """Print a table that folds long cells; a column whose name ends in ``>`` is set right.

    The cells of one whose name ends in ``~`` are cut in the middle where the others leave too little room.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    for column in columns:
        table.add_column(
            column.rstrip(">~"), justify="right" if column.endswith(">") else "left", overflow="fold"
        )
    console = stdout()
    for cells in _cut(columns, [[str(cell) for cell in row] for row in rows], console.width):
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


def _cut(columns: Sequence[str], rows: Sequence[list[str]], width: int) -> list[list[str]]:
    """The rows with the cells of ``~`` columns cut to what the other columns leave of ``width``."""
    cut = [index for index, column in enumerate(columns) if column.endswith("~")]
    if not cut:
        return list(rows)
    widest = [
        max(max(map(len, column.rstrip(">~").splitlines())), *(len(row[index]) for row in rows), 0)
        for index, column in enumerate(columns)
    ]
    # an edge of one on both sides, and three between columns
    others = sum(size for index, size in enumerate(widest) if index not in cut)
    room = max((width - 2 - 3 * (len(columns) - 1) - others) // len(cut), _LEAST_ROOM)
    return [
        [shortened(cell, room) if index in cut else cell for index, cell in enumerate(row)] for row in rows
    ]


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters: names begin alike and end alike, so the middle goes."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def print_wrapped(text: str) -> None:
    """Print one paragraph on stdout, its later lines set in."""
    typer.echo(
        textwrap.fill(
            text, shutil.get_terminal_size().columns, subsequent_indent="  ", break_on_hyphens=False
        )
    )


def note(message: str) -> None:
    """Say something that is not a fact of the answer, on stderr; only a terminal's lines are wrapped."""
    console = stderr()
    console.print(message, markup=False, soft_wrap=not console.is_terminal)


@contextmanager
def progress(title: str) -> Iterator[Advance]:
    """A progress bar on stderr; plain lines where stderr is no terminal."""
    console = stderr()
    if not console.is_terminal:
        yield _plain_lines(title)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=_BAR),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        verb = title.removeprefix("edgekit ")
        task = bar.add_task(verb, total=None)

        def advance(done: float, total: float, doing: str) -> None:
            # elapsed time takes 7, and one lies between columns
            described = shortened(f"{verb}: {doing}", console.width - _BAR - 7 - 3)
            bar.update(task, completed=done, total=total, description=described)

        yield advance


def _plain_lines(title: str) -> Advance:
    said: set[str] = set()

    def advance(done: float, total: float, doing: str) -> None:
        # a log need not hear how far each step is
        if doing not in said and done == int(done):
            said.add(doing)
            sys.stderr.write(f"{title}: {doing}\n")

    return advance
