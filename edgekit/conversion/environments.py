"""Find or make the interpreter that a converter's worker runs in."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import EnvironmentSetupError

if TYPE_CHECKING:
    from edgekit.catalog_schema import Converter


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentState:
    """Whether a converter could run now, without changing anything to find out."""

    ready: bool
    detail: str
    next_step: str | None = None
    """The line to type; None where nothing is left to do."""


def environment_state(converter: Converter, folder: Path) -> EnvironmentState:
    """Look whether the worker's environment is there. Makes nothing, downloads nothing."""
    missing = [name for name in converter.environment.imports if importlib.util.find_spec(name) is None]
    if missing:
        return EnvironmentState(
            ready=False, detail=f"not installed: {', '.join(missing)}", next_step="make setup"
        )
    return EnvironmentState(
        ready=True, detail=f"core, Python {sys.version_info.major}.{sys.version_info.minor}"
    )


def environment_python(converter: Converter, folder: Path) -> Path:
    """Return the interpreter for ``folder/worker.py``, making its environment where needed.

    Raises EnvironmentSetupError with the line that gets what is missing.
    """
    state = environment_state(converter, folder)
    if not state.ready:
        raise EnvironmentSetupError(f"converter '{converter.id}': {state.detail}. Try: {state.next_step}")
    return Path(sys.executable)
