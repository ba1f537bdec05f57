"""Shapes as contracts and models state them: some sides of any size."""

from __future__ import annotations

from collections.abc import Sequence


def is_fixed(side: object) -> bool:
    return isinstance(side, int) and side > 0


def show_shape(shape: Sequence[int | str | None]) -> str:
    return "[" + ", ".join(str(side) if is_fixed(side) else "?" for side in shape) + "]"
