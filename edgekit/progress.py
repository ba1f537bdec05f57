"""How long work tells whoever started it where it stands."""

from __future__ import annotations

from typing import Protocol


class Advance(Protocol):
    """Reports progress: ``done`` of ``total`` steps, and what is under way."""

    def __call__(self, done: float, total: float, doing: str) -> None: ...
