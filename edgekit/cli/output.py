"""What every command prints with: facts on stdout (a table, or JSON for scripts), everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgekit.progress import Advance

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
    """Print a table that folds long cells; a column whose name ends in ``>`` is set right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    for column in columns:
        table.add_column(
            column.removesuffix(">"), justify="right" if column.endswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    stdout().print(table)


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
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=None)

        def advance(done: float, total: float, doing: str) -> None:
            bar.update(
                task, completed=done, total=total, description=f"{title}: {doing}"[: console.width - 40]
            )

        yield advance


def _plain_lines(title: str) -> Advance:
    said: set[str] = set()

    def advance(done: float, total: float, doing: str) -> None:
        if doing not in said:
            said.add(doing)
            sys.stderr.write(f"{title}: {doing}\n")

    return advance
