"""Sources and answerers that do what a test tells them, frame by frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.camera.frames import Frame
from edgekit.camera.lanes import Lanes
from edgekit.contracts import Classes, Encoded, Prediction, ScoredLabel

PATIENCE_S = 20.0
"""Nothing that a test waits for takes so long; without it one that fails would hang."""


class Numbered:
    """``count`` frames whose pixels are their number; ``live``: one each ``pause_s``, those after the first when
    ``first_taken`` is set: on a busy machine it may not be taken otherwise.
    """

    rate_fps, patience_s, gaps, name = 20.0, None, (), "numbered"

    def __init__(
        self,
        count: int,
        *,
        live: bool = False,
        pause_s: float = 0.0,
        first_taken: threading.Event | None = None,
    ) -> None:
        self.live, self._count, self._pause_s, self._first_taken = live, count, pause_s, first_taken
        self.read_so_far = 0

    def read(self) -> Frame | None:
        time.sleep(self._pause_s)
        index = self.read_so_far
        if index and self._first_taken:
            assert self._first_taken.wait(PATIENCE_S)
        if index == self._count:
            return None
        self.read_so_far += 1
        image = np.full((2, 2, 3), index, np.uint8)
        return Frame(image=image, index=index, time_ms=index * 50.0, captured_s=time.perf_counter())

    def close(self) -> None:
        """Nothing is held."""


class Scripted:
    """Answers a frame with its number, after ``infer`` was called with it in one of ``inferences`` lanes.

    Counts how many inferences were under way at once, and in which lanes.
    """

    def __init__(
        self, inferences: int, infer: Callable[[int], None] = lambda _: None, *, cores: int = 64
    ) -> None:
        self.lanes = Lanes(inferences)
        self.context = {"threads": 1, "cores": cores}
        self._infer = infer
        self._counting = threading.Lock()
        self._lanes_in_use: set[int] = set()
        self.most_at_once = 0
        self.prepared: list[int] = []
        self.inferred: list[int] = []

    def prepare(self, image: Any) -> Encoded:
        self.prepared.append(int(image[0, 0, 0]))
        return Encoded({"index": np.array([image[0, 0, 0]])})

    def infer_in(self, lane: int, encoded: Encoded) -> dict[str, Any]:
        with self._counting:
            assert lane not in self._lanes_in_use
            self._lanes_in_use.add(lane)
            self.most_at_once = max(self.most_at_once, len(self._lanes_in_use))
        index = int(encoded.tensors["index"][0])
        self.inferred.append(index)
        try:
            self._infer(index)
        finally:
            with self._counting:
                self._lanes_in_use.remove(lane)
        return {"index": encoded.tensors["index"]}

    def decode(self, outputs: dict[str, Any], _: object) -> Prediction:
        index = int(outputs["index"][0])
        return Classes((ScoredLabel(label=str(index), index=index, score=1.0),))


class Signals:
    """An event for each number, which anybody may wait for."""

    def __init__(self) -> None:
        self._events = [threading.Event() for _ in range(256)]
        self._any = threading.Event()

    def tell(self, index: int) -> None:
        self._events[index].set()
        self._any.set()

    def wait_for_any(self) -> None:
        assert self._any.wait(PATIENCE_S), "nothing came"

    def wait_for(self, index: int) -> None:
        assert self._events[index].wait(PATIENCE_S), f"{index} did not come"
