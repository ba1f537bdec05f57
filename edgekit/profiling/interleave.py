"""Time several loaded bundles in turn, so that the machine's moods hit all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Protocol

BLOCK_MS = 60.0
"""Aim of one block: long enough to reach steady caches, short against what neighbours do."""
MAX_BLOCK_RUNS = 50


class Timed(Protocol):
    """What can be timed; ``RunnerSession`` is one."""

    def run(self, runs: int, warmup: int = 0) -> list[float]: ...


def interleave(
    sessions: Mapping[str, Timed], *, rounds: int, warmup: int = 3, block_ms: float = BLOCK_MS
) -> dict[str, list[float]]:
    """Median time in ms of each session in each round; the lists are parallel, for ``ratio_ci``.

    Sessions are loaded. A round runs a block of each, in an order that turns round every time.
    """
    sizes = {name: block_runs(session.run(3, warmup), block_ms) for name, session in sessions.items()}
    medians: dict[str, list[float]] = {name: [] for name in sessions}
    for index in range(rounds):
        for name in _order(list(sessions), index):
            # the first run of a block pays for caches that the others' block has emptied
            medians[name].append(statistics.median(sessions[name].run(sizes[name], 1)))
    return medians


def block_runs(samples_ms: Sequence[float], block_ms: float = BLOCK_MS) -> int:
    """How many inferences fill a block."""
    return max(1, min(MAX_BLOCK_RUNS, round(block_ms / statistics.median(samples_ms))))


def _order(names: list[str], index: int) -> list[str]:
    """There and back, so that nobody always runs first: what drifts evenly drops out over two rounds."""
    return names if index % 2 == 0 else names[::-1]
