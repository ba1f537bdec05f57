"""One small real bundle for all tests of this room, and copies of it to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bundles.making import make_bundle


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model, data and a bundle."""
    folder = tmp_path_factory.mktemp("made")
    make_bundle(folder)
    return folder


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(made / "stripes-far.edgekit", tmp_path / "stripes-far.edgekit"))
