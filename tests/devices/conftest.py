"""A board over ssh, made once a module; skipped with what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.devices import boards
from tests.devices.boards import SshServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    if reason := boards.missing():
        pytest.skip(reason)
    with boards.ssh_server(tmp_path_factory.mktemp("board")) as running:
        yield running
