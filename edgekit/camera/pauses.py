"""How long to wait between attempts: doubled from the first pause to the longest."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_S = 0.25


def pauses(longest_s: float) -> Iterator[float]:
    """Seconds, without an end."""
    wait_s = FIRST_S
    while True:
        yield wait_s
        wait_s = min(2 * wait_s, longest_s)
