"""Build a target's candidates ahead of their comparison, two at a time: most of a build keeps one core busy."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from edgekit.conversion.candidates import Candidate
    from edgekit.conversion.workshop import Built, Workshop

BUILDERS = 2
"""A third would hold a third model in memory and find no core free."""


class Ahead:
    """Candidates under way, in the order in which they will be asked for; leaving ends those that nobody waited for."""

    def __init__(self, workshop: Workshop, candidates: Sequence[Candidate]) -> None:
        self._workshop = workshop
        self._pool = ThreadPoolExecutor(BUILDERS, thread_name_prefix="build")
        self._under_way: dict[int, Future[Built]] = {
            id(candidate): self._pool.submit(workshop.build, candidate) for candidate in candidates
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._workshop.stopped.set()  # a worker may have hours to go
        self._pool.shutdown(cancel_futures=True)

    def build(self, candidate: Candidate) -> Built:
        """Wait for ``candidate``; errors as of :meth:`Workshop.build`."""
        return self._under_way[id(candidate)].result()
