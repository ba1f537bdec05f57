"""``edgekit verify`` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.camera.conftest import zoo_bundle
from tests.cli.running import edgekit


@pytest.mark.network
def test_the_source_may_be_named_as_the_zoo_names_it(tmp_path: Path) -> None:
    bundle = zoo_bundle("blazeface", tmp_path)
    done = edgekit(tmp_path, "verify", bundle, "--model", "blazeface")
    assert "answers like blazeface" in " ".join(done.stdout.split())
