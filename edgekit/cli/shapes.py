"""``--shape``, as every command that reads a model takes it."""

from __future__ import annotations

from typing import Annotated

import typer

ShapeOption = Annotated[
    list[str] | None, typer.Option(help="Fix a free input shape: NAME:1,3,224,224; repeatable.")
]


def read_shapes(given: list[str] | None) -> dict[str, tuple[int, ...]]:
    """The shapes by input name; what cannot be read is a mistake in the command line (exit 2)."""
    from edgekit.errors import ModelError
    from edgekit.models import parse_shapes

    try:
        return parse_shapes(given or [])
    except ModelError as error:
        raise typer.BadParameter(str(error)) from None
