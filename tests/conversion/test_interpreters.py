"""Which Python a converter gets on machines of many kinds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edgekit.conversion.interpreters import find_interpreter, fitting_versions

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
SPECIFIER = f"=={HERE}.*"


def environ(home: Path, *folders: Path) -> dict[str, str]:
    """A machine with nothing but ``folders`` on PATH, and an empty home."""
    return {"PATH": os.pathsep.join(map(str, folders)), "HOME": str(home), "UV_PYTHON_DOWNLOADS": "never"}


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def real_python(path: Path) -> Path:
    return executable(path, f'exec "{sys.executable}" "$@"')


@pytest.mark.parametrize(
    ("specifier", "versions"),
    [
        (">=3.12,<3.14", ["3.12", "3.13"]),
        ("==3.10.*", ["3.10"]),
        (">=3.7.5,<3.8", ["3.7"]),
        (">=3.99", []),
    ],
)
def test_fitting_versions(specifier: str, versions: list[str]) -> None:
    assert fitting_versions(specifier) == versions


def test_found_on_path(tmp_path: Path) -> None:
    python = real_python(tmp_path / f"bin/python{HERE}")
    found = find_interpreter(SPECIFIER, environ(tmp_path, python.parent))
    assert found is not None
    assert found.path == python
    assert found.version == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize(
    "shim",
    [
        "echo 'pyenv: python: command not found' >&2; exit 127",
        "echo PyPy pretends",
        "echo pypy 3.11.0",
        f"echo cpython {HERE}.0; exit 1",
    ],
)
def test_shims_that_do_not_answer_are_passed_over(tmp_path: Path, shim: str) -> None:
    first = executable(tmp_path / f"shims/python{HERE}", shim)
    second = real_python(tmp_path / f"bin/python{HERE}")
    found = find_interpreter(SPECIFIER, environ(tmp_path, first.parent, second.parent))
    assert found is not None
    assert found.path == second


def test_a_name_that_promises_another_version_is_not_believed(tmp_path: Path) -> None:
    liar = executable(tmp_path / f"bin/python{HERE}", "echo cpython 3.5.0")
    found = find_interpreter(SPECIFIER, environ(tmp_path, liar.parent))
    assert found is None or found.path != liar


@pytest.mark.parametrize("root", [".pyenv", "elsewhere"])
def test_found_among_pyenv_s_versions(tmp_path: Path, root: str) -> None:
    version = "3.19"  # not on any machine's PATH yet
    python = executable(
        tmp_path / root / f"versions/{version}.4/bin/python{version}", f"echo cpython {version}.4"
    )
    machine = environ(tmp_path)
    if root == "elsewhere":
        machine["PYENV_ROOT"] = str(tmp_path / root)
    found = find_interpreter(f"=={version}.*", machine)
    assert found is not None
    assert found.path == python


def test_none_found(tmp_path: Path) -> None:
    assert find_interpreter("==3.19.*", environ(tmp_path)) is None
