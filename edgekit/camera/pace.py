"""The stages one after the other, as a plain loop goes through them, and what frame rate they let the pipeline have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import perf_counter, process_time
from typing import Any

from edgekit.camera.answering import Answerer
from edgekit.camera.frames import Source
from edgekit.camera.pipeline import Result
from edgekit.camera.times import STAGES, Stage
from edgekit.errors import CameraError

WARM_UP = 3
"""Frames before the timed ones: files, caches and clocks wake up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one frame costs in each stage while nothing else runs."""

    frames: int
    stages_ms: dict[Stage, float]
    """Mean wall time."""
    cpu_ms: float
    """Mean processor time of all stages, on all processors."""
    cores: int

    @property
    def loop_fps(self) -> float:
        """Frames a second, one stage after the other."""
        return 1000 / sum(self.stages_ms.values())

    @property
    def longest(self) -> Stage:
        return max(self.stages_ms, key=lambda stage: self.stages_ms[stage])

    @property
    def bound_fps(self) -> float:
        """Frames a second were there a processor for each stage."""
        return 1000 / self.stages_ms[self.longest]

    @property
    def pipeline_fps(self) -> float:
        """Frames a second when the stages overlap: the longest one, or all processors' time, is what a frame takes."""
        return min(self.bound_fps, 1000 * self.cores / self.cpu_ms)

    @property
    def limit(self) -> str:
        """What keeps it from being faster: a stage, or ``processors``."""
        return self.longest if self.stages_ms[self.longest] * self.cores >= self.cpu_ms else "processors"

    def facts(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            "stages_ms": dict(self.stages_ms),
            "cpu_ms": self.cpu_ms,
            "cores": self.cores,
            "loop_fps": self.loop_fps,
            "predicted_fps": self.pipeline_fps,
            "limit": self.limit,
            "kind": "predicted",
        }


def pace(
    answerer: Answerer,
    source: Source,
    output: Callable[[Result], object],
    *,
    duration_s: float | None = None,
    warm_up: int = WARM_UP,
) -> Pace:
    """Go through ``source`` to its end, or for ``duration_s``; ``output`` is what is done with an answer.

    CameraError where it ends within the frames of the warm-up.
    """
    spent_s = dict.fromkeys(STAGES, 0.0)
    frames = 0
    begun_s = begun_cpu_s = 0.0
    for index in count():
        if index == warm_up:
            begun_s, begun_cpu_s = perf_counter(), process_time()
        if duration_s and frames and perf_counter() - begun_s >= duration_s:
            break
        marks_s = [perf_counter()]
        frame = source.read()
        if frame is None:
            break
        marks_s.append(perf_counter())
        encoded = answerer.prepare(frame.image)
        marks_s.append(perf_counter())
        outputs = answerer.infer(encoded)
        marks_s.append(perf_counter())
        prediction = answerer.decode(outputs, encoded.meta)
        marks_s.append(perf_counter())
        output(Result(frame, prediction))
        marks_s.append(perf_counter())
        if index >= warm_up:
            frames += 1
            for stage, begin_s, end_s in zip(STAGES, marks_s, marks_s[1:], strict=False):
                spent_s[stage] += end_s - begin_s
    if not frames:
        raise CameraError(f"{source.name}: ends within {warm_up} frames, which is too short to time anything")
    return Pace(
        frames=frames,
        stages_ms={stage: seconds * 1000 / frames for stage, seconds in spent_s.items()},
        cpu_ms=(process_time() - begun_cpu_s) * 1000 / frames,
        cores=answerer.context["cores"],
    )
