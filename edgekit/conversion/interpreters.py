"""Find a Python interpreter that a converter's packages were made for."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import uv
from packaging.specifiers import SpecifierSet

_PROBE = "import sys; print(sys.implementation.name, '%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True, slots=True)
class Interpreter:
    path: Path
    version: str
    """Such as 3.12.1."""


def fitting_versions(specifier: str) -> list[str]:
    """The minor versions that ``specifier`` allows, oldest first: ``>=3.12,<3.14`` -> 3.12, 3.13."""
    allowed = SpecifierSet(specifier)
    return [f"3.{minor}" for minor in range(6, 20) if any(f"3.{minor}.{p}" in allowed for p in (0, 99))]


def find_interpreter(specifier: str, environ: Mapping[str, str] = os.environ) -> Interpreter | None:
    """The oldest fitting CPython of this machine; looks on PATH, in the system's folders, with pyenv and uv.

    Each is asked for its version: a pyenv shim is there for every version and answers 127 for most.
    """
    allowed = SpecifierSet(specifier)
    for version in fitting_versions(specifier):
        for path in _candidates(version, environ):
            found = _probe(path)
            if found is not None and found.version in allowed:
                return found
    return None


def _candidates(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    name = f"python{version}"
    home = Path(environ.get("HOME", "/nonexistent"))
    pyenv = Path(environ["PYENV_ROOT"]) if environ.get("PYENV_ROOT") else home / ".pyenv"
    folders = [Path(folder) for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    folders += [Path("/usr/local/bin"), Path("/usr/bin")]
    folders += sorted(pyenv.glob(f"versions/{version}*/bin"))
    seen: set[Path] = set()
    for folder in folders:
        path = folder / name
        if path not in seen and os.access(path, os.X_OK):
            seen.add(path)
            yield path
    yield from _known_to_uv(version, environ)


def _known_to_uv(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    command = [uv.find_uv_bin(), "python", "list", version, "--only-installed", "--output-format", "json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(environ))
    if listed.returncode == 0:
        yield from (Path(entry["path"]) for entry in json.loads(listed.stdout) if entry["path"])


def _probe(path: Path) -> Interpreter | None:
    try:
        answer = subprocess.run(
            [path, "-I", "-c", _PROBE], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    implementation, _, version = answer.stdout.strip().partition(" ")
    fits = answer.returncode == 0 and implementation == "cpython"
    return Interpreter(path, version) if fits else None
