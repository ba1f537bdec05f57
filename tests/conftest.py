"""Before any test module is imported: the libraries that tests load send nothing anywhere, and Ctrl-C reaches them."""

from __future__ import annotations

import signal

import pytest

from edgekit.telemetry import switch_off

switch_off()
# a shell lets what it starts in the background ignore it, and what that starts, too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Not by -m, which the user's own -m would replace."""
    parser.addoption("--alone", choices=("no", "only"), help="leave out tests marked alone, or all others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = config.getoption("alone")
    if not asked:
        return
    taken: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        is_alone = item.get_closest_marker("alone") is not None
        (taken if is_alone == (asked == "only") else left).append(item)
    items[:] = taken
    config.hook.pytest_deselected(items=left)
