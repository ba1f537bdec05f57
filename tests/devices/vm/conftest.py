"""The virtual board, made once a session from packages; skipped with what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edgekit.devices.vm.setup import Board, missing_tools, set_up


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Set up in a cache of its own, which is also the models'."""
    if reason := missing_tools():
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield set_up()
