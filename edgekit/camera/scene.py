"""What is watched on the picture: lines that things cross and zones that they stay in, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from edgekit.errors import CameraError
from edgekit.strict import Strict, read_record

Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Share, Share]
"""Shares of the picture's width and height, from its top left corner: they hold for any size of frame."""


class _Place(Strict):
    name: Annotated[str, Field(min_length=1)]
    labels: tuple[str, ...] = ()
    """Whom it is about; without any: everything that is followed."""


class Line(_Place):
    """What crosses it from its left to its right, as seen from the first point to the second, comes in."""

    points: tuple[Point, Point]

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.points[0] == self.points[1]:
            raise ValueError("both points are the same")
        return self


class Zone(_Place):
    """A polygon."""

    points: Annotated[tuple[Point, ...], Field(min_length=3)]
    dwell_s: PositiveFloat | None = None
    """Say so when something has been inside for so long."""


class Scene(Strict):
    """A file of them, TOML or JSON."""

    schema_version: Literal[1] = Field(1, alias="schema")
    lines: tuple[Line, ...] = ()
    zones: tuple[Zone, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [place.name for place in (*self.lines, *self.zones)]
        if not names:
            raise ValueError("neither lines nor zones are in it")
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two places are named '{twice}'")
        return self


def read_scene(path: Path) -> Scene:
    """CameraError with every problem of the file."""
    scene, problems = read_record(path, Scene)
    if scene is None:
        raise CameraError("\n".join(problems))
    return scene
