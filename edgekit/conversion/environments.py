"""Find or make the interpreter that a converter's worker runs in.

A core converter runs in edgekit's own interpreter. An isolated one gets an environment made by ``uv`` from the
hash-locked requirements in its folder, on a Python of this machine, kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.conversion.interpreters import Interpreter, find_interpreter, fitting_versions
from edgekit.errors import EnvironmentSetupError
from edgekit.paths import cache_dir
from edgekit.staging import alone, move_into_place, staging_folder
from edgekit.telemetry import SWITCHED_OFF

if TYPE_CHECKING:
    from edgekit.catalog_schema import Converter

_HEALTHY = "edgekit-healthy"
"""Written last: an environment without it was not finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentState:
    """Whether a converter could run now, found out without changing anything."""

    ready: bool
    """True also where the environment is still to be made, but nothing for that is missing here."""
    detail: str
    next_step: str | None = None
    """The line to type; None where nothing is left to do by hand."""
    python: Path | None = None
    """The worker's interpreter, where it exists already."""


def environment_state(converter: Converter, folder: Path) -> EnvironmentState:
    """Look whether the worker's environment is there or could be made. Makes nothing, downloads nothing."""
    if converter.environment.kind == "core":
        return _core_state(converter)
    for made in sorted(_environments().glob(f"{_prefix(converter, folder)}-*")):
        if _is_finished(made):
            return EnvironmentState(ready=True, detail=f"environment in {made}", python=made / "bin/python")
    specifier = converter.environment.python or ""
    found = find_interpreter(specifier)
    if found is None:
        return EnvironmentState(
            ready=False,
            detail=f"needs Python {specifier}, and none was found on this machine",
            next_step=f"edgekit converters setup {converter.id} --allow-download",
        )
    return EnvironmentState(ready=True, detail=f"is made on first use with {found.path} ({found.version})")


def environment_python(converter: Converter, folder: Path, *, allow_download: bool = False) -> Path:
    """Return the interpreter for ``folder/worker.py``, making its environment where needed.

    ``allow_download``: uv may download a Python where none fits. Raises EnvironmentSetupError with the line that
    gets what is missing.
    """
    state = environment_state(converter, folder)
    if state.python is not None:
        return state.python
    if converter.environment.kind == "core":
        raise EnvironmentSetupError(f"converter '{converter.id}': {state.detail}. Try: {state.next_step}")
    base = _base_interpreter(converter, allow_download=allow_download)
    final = _environments() / f"{_prefix(converter, folder)}-{base.version}"
    with alone(final):
        if not _is_finished(final):  # another process may have made it while this one waited
            _make(converter, folder, base, final)
    return final / "bin/python"


def _core_state(converter: Converter) -> EnvironmentState:
    missing = [name for name in converter.environment.imports if importlib.util.find_spec(name) is None]
    if missing:
        detail = f"not installed: {', '.join(missing)}"
        return EnvironmentState(ready=False, detail=detail, next_step="edgekit doctor")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return EnvironmentState(ready=True, detail=f"edgekit's own Python {version}", python=Path(sys.executable))


def _environments() -> Path:
    return cache_dir() / "environments"


def _lock_file(converter: Converter, folder: Path) -> Path:
    return folder / (converter.environment.lock or "")


def _prefix(converter: Converter, folder: Path) -> str:
    """Changes with the lock, so that an environment never holds other packages than the lock names."""
    return f"{converter.id}-{hashlib.sha256(_lock_file(converter, folder).read_bytes()).hexdigest()[:12]}"


def _is_finished(environment: Path) -> bool:
    # the link in bin/ dangles when its base interpreter was removed
    return (environment / _HEALTHY).is_file() and (environment / "bin/python").exists()


def _base_interpreter(converter: Converter, *, allow_download: bool) -> Interpreter:
    specifier = converter.environment.python or ""
    found = find_interpreter(specifier)
    versions = fitting_versions(specifier)
    if found is None and allow_download:
        _uv(["python", "install", versions[0]], converter, "Python could not be downloaded", downloads=True)
        found = find_interpreter(specifier)
    if found is None:
        packages = " or ".join(f"python{version}" for version in versions)
        raise EnvironmentSetupError(
            f"converter '{converter.id}' needs Python {specifier}, and none was found on this machine. Try: "
            f"edgekit converters setup {converter.id} --allow-download, or: sudo apt-get install {packages}"
        )
    return found


def _make(converter: Converter, folder: Path, base: Interpreter, final: Path) -> None:
    """Install aside, import what must be importable, then rename: a killed run leaves nothing half made."""
    with staging_folder(final.parent) as staging:
        made = staging / "environment"
        python = made / "bin/python"
        _uv(["venv", "--relocatable", "--python", str(base.path), str(made)], converter, "cannot be created")
        lock = str(_lock_file(converter, folder))
        _uv(
            ["pip", "sync", "--python", str(python), "--require-hashes", lock],
            converter,
            "cannot be installed",
        )
        _check_imports(converter, python)
        (made / _HEALTHY).touch()
        move_into_place(made, final)


def _check_imports(converter: Converter, python: Path) -> None:
    code = "import " + ", ".join(converter.environment.imports)
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(python.parent), **SWITCHED_OFF}
    answer = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False, cwd=python.parent, env=clean
    )
    if answer.returncode != 0:
        raise _problem(converter, "does not work after it was made", answer.stderr)


def _uv(arguments: list[str], converter: Converter, what: str, *, downloads: bool = False) -> None:
    """Run uv with the user's own environment: proxies, indexes and certificates are needed to install."""
    import uv

    environment = {
        **os.environ,
        "UV_PYTHON_DOWNLOADS": "manual" if downloads else "never",
        "UV_NO_PROGRESS": "1",
    }
    environment.pop("VIRTUAL_ENV", None)
    command = [uv.find_uv_bin(), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if answer.returncode != 0:
        raise _problem(converter, what, answer.stderr)


def _problem(converter: Converter, what: str, output: str) -> EnvironmentSetupError:
    lines = [line.strip(" ×╰─▶│├") for line in output.splitlines() if line.strip(" ×╰─▶│├")]
    words = " ".join(lines[-6:])[-500:]
    return EnvironmentSetupError(
        f"the environment of converter '{converter.id}' {what}: {words}. Once that is fixed: "
        f"edgekit converters setup {converter.id}"
    )
