"""How long the stages took and how old frames were when they came out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Literal

import numpy as np

Stage = Literal["capture", "preprocess", "inference", "postprocess", "output"]
STAGES: tuple[Stage, ...] = ("capture", "preprocess", "inference", "postprocess", "output")
KEPT = 10_000
"""Newest samples that percentiles are taken of: a camera runs for months."""
ENOUGH_FOR_P99 = 100
"""Below it the 99th percentile is the largest sample, and no more is known of it."""


class Times:
    """Samples of each stage and of the age, from any thread."""

    def __init__(self) -> None:
        self._stages: dict[Stage, _Samples] = {stage: _Samples() for stage in STAGES}
        self._ages = _Samples()

    @contextmanager
    def of(self, stage: Stage) -> Iterator[None]:
        """Time the block as one sample of ``stage``."""
        started = perf_counter()
        try:
            yield
        finally:
            self.add(stage, perf_counter() - started)

    def add(self, stage: Stage, seconds: float) -> None:
        """One sample of ``stage``."""
        self._stages[stage].add(seconds * 1000)

    def came_out(self, age_ms: float) -> None:
        """A frame of that age has been put out."""
        self._ages.add(age_ms)

    def stages_ms(self) -> dict[str, dict[str, float | int | None] | None]:
        return {stage: percentiles(list(samples.newest_ms)) for stage, samples in self._stages.items()}

    def age_ms(self) -> dict[str, float | int | None] | None:
        return percentiles(list(self._ages.newest_ms))

    def totals(self) -> dict[str, dict[str, float]]:
        """Of each stage and the ``age``: ``samples`` and their sum in ``seconds``, since the first one."""
        every = [*self._stages.items(), ("age", self._ages)]
        return {name: {"samples": samples.count, "seconds": samples.sum_ms / 1000} for name, samples in every}


class _Samples:
    """The newest ones, and the sum of all."""

    def __init__(self) -> None:
        self.newest_ms: deque[float] = deque(maxlen=KEPT)
        self.count, self.sum_ms = 0, 0.0
        self._adding = threading.Lock()

    def add(self, sample_ms: float) -> None:
        with self._adding:
            self.newest_ms.append(sample_ms)
            self.count += 1
            self.sum_ms += sample_ms


def percentiles(samples_ms: Sequence[float]) -> dict[str, float | int | None] | None:
    """p50, p99 (None below 100 samples), mean and number of samples; None where there are none."""
    if not samples_ms:
        return None
    enough = len(samples_ms) >= ENOUGH_FOR_P99
    p50, p99 = np.percentile(samples_ms, (50, 99))
    return {
        "p50": float(p50),
        "p99": float(p99) if enough else None,
        "mean": float(np.mean(samples_ms)),
        "samples": len(samples_ms),
    }
