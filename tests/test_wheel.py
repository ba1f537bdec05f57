"""The wheel holds the catalog and the command works from it in an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CATALOG = {"targets": {".toml"}, "profiles": {".toml"}, "converters": {".toml", ".py", ".lock", ".md"}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(out.glob("edgekit_toolchain-*.whl"))


def test_catalog_in_the_wheel_is_the_checkouts(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("edgekit/_catalog/")}
    checkout = {
        f"edgekit/_catalog/{path.relative_to(ROOT).as_posix()}"
        for folder, suffixes in CATALOG.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in suffixes
    }
    assert inside == checkout
    assert len([name for name in inside if name.startswith("edgekit/_catalog/targets/")]) >= 9


def test_nothing_else_is_littered(wheel: Path) -> None:
    top = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"edgekit"}


def test_every_engine_file_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "edgekit"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(tracked) <= names


def test_command_starts_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    empty = tmp_path / "empty"
    empty.mkdir()
    # -S-like isolation from the editable install: the wheel's copy comes first on the path
    script = (
        f"import edgekit, edgekit.cli.main as m; assert edgekit.__file__.startswith({str(site)!r}); m.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "targets", "ls", "--json"],
        cwd=empty, env={**os.environ, "PYTHONPATH": str(site), "HOME": str(empty)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "raspberry-pi-4" in json.dumps(json.loads(done.stdout))
    assert not any(empty.iterdir())
