"""The virtual board, made once from packages; skipped with what is missing."""

from __future__ import annotations

import pytest

from edgekit.devices.vm.setup import Board, missing_tools, set_up


@pytest.fixture(scope="session")
def board() -> Board:
    """What ``edgekit device setup vm`` makes, in the user's own cache: it is fetched once."""
    if reason := missing_tools():
        pytest.skip(reason)
    return set_up()
