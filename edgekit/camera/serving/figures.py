"""What is known of a running pipeline, as JSON types."""

from __future__ import annotations

import threading
import time
from collections import deque
from time import perf_counter
from typing import Any

import psutil

from edgekit.camera.pipeline import Pipeline, Result
from edgekit.host.temperature import temperatures

_KEPT = 50
"""Newest happenings that are told."""
_RATE_S = 5.0
"""The frame rate is of so long a time."""
_FRESH_S = 0.9
"""Facts are gathered again after that; pages ask once a second."""


class Figures:
    """Takes note of each result, cheaply; gathers the facts for whoever asks, once a second at most."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._process = psutil.Process()
        self._out_s: deque[float] = deque()
        self._happenings: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._size: dict[str, int] | None = None
        self._started_s = perf_counter()
        self._gathering = threading.Lock()
        self._gathered_s = 0.0
        self._facts: dict[str, Any] = {}

    def note(self, result: Result) -> None:
        now_s = perf_counter()
        self._out_s.append(now_s)
        while self._out_s[0] < now_s - _RATE_S:
            self._out_s.popleft()
        height, width = result.frame.image.shape[:2]
        self._size = {"width": width, "height": height}
        for happening in result.analysis.happenings if result.analysis else ():
            seen = {"frame": result.frame.index, "at_s": round(time.time(), 3)}
            self._happenings.appendleft({**happening.facts(), **seen})

    def facts(self) -> dict[str, Any]:
        """``frames_per_s`` of the last five seconds; times of the newest frames, ``totals`` since the first one."""
        with self._gathering:
            if not self._facts or perf_counter() - self._gathered_s > _FRESH_S:
                self._facts = self._gather()
                self._gathered_s = perf_counter()
            return self._facts

    def _gather(self) -> dict[str, Any]:
        pipeline, answerer = self._pipeline, self._pipeline.answerer
        gaps_s = pipeline.source.gaps
        return {
            "bundle": answerer.bundle.path.name,
            "task": answerer.contract.schema.task,
            "runtime": f"{answerer.context['runtime']} {answerer.context['runtime_version']}",
            "machine": answerer.context["machine"],
            "source": pipeline.source.name,
            "live": pipeline.source.live,
            "size": self._size,
            "seconds": perf_counter() - self._started_s,
            # captured last: the other two are never more together
            "answered": pipeline.put_out,
            "dropped": pipeline.replaced,
            "captured": pipeline.captured,
            "frames_per_s": self._rate(),
            "stages_ms": pipeline.times.stages_ms(),
            "age_ms": pipeline.times.age_ms(),
            "totals": pipeline.times.totals(),
            "gaps": {"count": len(gaps_s), "seconds": sum(gaps_s)},
            "resident_bytes": self._process.memory_info().rss,
            "temperatures": [zone.facts() for zone in temperatures()],
            "rung": pipeline.degrading.standing() if pipeline.degrading else None,
            "counts": pipeline.analyst.counts() if pipeline.analyst else {},
            "happenings": list(self._happenings),
        }

    def _rate(self) -> float:
        now_s = perf_counter()
        newest = sum(out_s > now_s - _RATE_S for out_s in list(self._out_s))
        return newest / max(min(_RATE_S, now_s - self._started_s), 1e-3)
