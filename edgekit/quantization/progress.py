"""How a worker process tells where it stands: the last line of a file that its starter reads."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

WARM = 0.1
"""Share of the work before which nobody can say how long the rest takes."""


@dataclass(slots=True)
class Told:
    """Writes how much is done; without a file, nothing."""

    path: Path | None = None
    begin_s: float = field(default_factory=time.monotonic)

    @classmethod
    def to(cls, path: str | None) -> Told:
        return cls(Path(path) if path else None)

    def say(self, done: float, doing: str) -> None:
        """``done``: 0 to 1."""
        if self.path is None:
            return
        # a reader must never see half a line
        staged = self.path.with_suffix(".new")
        left_s = (time.monotonic() - self.begin_s) * (1 - done) / done if done > WARM else None
        left = f", about {left_s:.0f} s left" if left_s else ""
        staged.write_text(f"{done:.3f} {doing}{left}", encoding="utf-8")
        staged.replace(self.path)
