"""Several pipelines at once, their results in one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from edgekit.camera.pipeline import Pipeline, Result

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class _Came:
    """A result; ``dealt_with`` is set when the caller asks for the next one. None: the pipeline has ended."""

    number: int
    result: Result | None
    error: BaseException | None = None
    dealt_with: threading.Event = field(default_factory=threading.Event)


def together(
    pipelines: Sequence[Pipeline], *, told: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[int, Result]]:
    """Results with the number of their pipeline, as they come: what the caller does with one is its stage ``output``.

    Where one of several fails the others go on: ``told`` hears of it, and the first error is raised when all have ended.
    """
    if len(pipelines) == 1:
        yield from ((0, result) for result in pipelines[0])
        return
    came: SimpleQueue[_Came] = SimpleQueue()
    left = threading.Event()
    threads = [
        threading.Thread(target=_hand_over, args=(number, pipeline, came, left), daemon=True)
        for number, pipeline in enumerate(pipelines)
    ]
    for thread in threads:
        thread.start()
    errors: list[BaseException] = []
    running = len(pipelines)
    try:
        while running:
            item = came.get()
            if item.result is not None:
                yield item.number, item.result
                item.dealt_with.set()
                continue
            running -= 1
            if item.error:
                errors.append(item.error)
                if running:
                    told(f"{item.error}; the other cameras go on")
        if errors:
            raise errors[0]
    finally:
        left.set()
        for pipeline in pipelines:
            pipeline.stop()
        for thread in threads:
            thread.join(2 * _LOOK_S)


def _hand_over(number: int, pipeline: Pipeline, came: SimpleQueue[_Came], left: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for result in pipeline:
            item = _Came(number, result)
            came.put(item)
            while not item.dealt_with.wait(_LOOK_S):
                if left.is_set():
                    return
    except BaseException as raised:  # noqa: BLE001
        error = raised
    finally:
        came.put(_Came(number, None, error))
