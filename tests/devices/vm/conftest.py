"""The virtual board, made once from packages; skipped with what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edgekit.devices.vm.setup import Board, missing_tools, set_up


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Set up in a cache of its own, which is also the models', and only until the module ends: others have theirs."""
    if reason := missing_tools():
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield set_up()
