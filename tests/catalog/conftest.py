"""A project folder to work in, and a user's folder; the bundled files stay what they are."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def user(tmp_path: Path, project: Path) -> Path:
    folder = tmp_path / "config" / "edgekit"
    folder.mkdir(parents=True)
    return folder
