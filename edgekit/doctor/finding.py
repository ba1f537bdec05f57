"""One thing the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    topic: str
    name: str
    status: Status
    detail: str
    next_step: str | None = None
    """The line to type, or what to do; None where nothing is left to do."""
    essential: bool = False
    """Nothing can be converted while this is missing."""

    @property
    def fatal(self) -> bool:
        return self.essential and self.status == "missing"
