"""A project folder to work in, with a cache of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; nothing of the user's own catalog or cache is seen."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    # what must win here wins by far; a narrow interval of the ratio takes 24 rounds of 60 ms for each candidate
    monkeypatch.setattr("edgekit.conversion.trial.FINAL_ROUNDS", 8)
    monkeypatch.chdir(folder)
    return folder
