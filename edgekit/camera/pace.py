"""The stages one after the other, as a plain loop goes through them, and overlapped, as the camera runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import perf_counter, process_time
from typing import Any

from edgekit.camera.answering import Answerer
from edgekit.camera.frames import Source
from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.times import STAGES, Stage
from edgekit.errors import CameraError

WARM_UP = 3
"""Frames before the timed ones: files, caches and clocks wake up."""

BUSY = 0.95
"""Of the longest stage's rate: below it the processors are what keeps the pipeline back."""

Output = Callable[[Result], object]
"""What is done with an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one frame costs in each stage while nothing else runs, and how many there are while all run."""

    frames: int
    """That went through one stage after the other."""
    stages_ms: dict[Stage, float]
    """Mean wall time."""
    cpu_ms: float
    """Mean processor time of all stages, on all processors."""
    pipeline_fps: float
    """Frames a second when the stages overlap."""

    @property
    def loop_fps(self) -> float:
        """Frames a second, one stage after the other."""
        return 1000 / sum(self.stages_ms.values())

    @property
    def longest(self) -> Stage:
        return max(self.stages_ms, key=lambda stage: self.stages_ms[stage])

    @property
    def bound_fps(self) -> float:
        """Frames a second were there a processor for each stage, and did none slow another down."""
        return 1000 / self.stages_ms[self.longest]

    @property
    def limit(self) -> str:
        """What keeps it from being faster: a stage, or ``processors``."""
        return self.longest if self.pipeline_fps >= BUSY * self.bound_fps else "processors"

    def facts(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            "stages_ms": dict(self.stages_ms),
            "cpu_ms": self.cpu_ms,
            "loop_fps": self.loop_fps,
            "pipeline_fps": self.pipeline_fps,
            "limit": self.limit,
            "kind": "measured",
        }


def pace(
    answerer: Answerer,
    opened: Callable[[], Source],
    output: Output,
    *,
    duration_s: float | None = None,
    warm_up: int = WARM_UP,
) -> Pace:
    """Go through what ``opened`` opens twice, to its end, or for half of ``duration_s`` each time.

    CameraError where it ends within the frames of the warm-up.
    """
    half_s = duration_s and duration_s / 2
    spent_s = dict.fromkeys(STAGES, 0.0)
    frames = 0
    begun_s = begun_cpu_s = 0.0
    source = opened()
    for index in count():
        if index == warm_up:
            begun_s, begun_cpu_s = perf_counter(), process_time()
        if half_s and frames and perf_counter() - begun_s >= half_s:
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
        raise _too_short(source, warm_up)
    cpu_s = process_time() - begun_cpu_s
    source.close()
    return Pace(
        frames=frames,
        stages_ms={stage: seconds * 1000 / frames for stage, seconds in spent_s.items()},
        cpu_ms=cpu_s * 1000 / frames,
        pipeline_fps=overlapped_fps(answerer, opened(), output, duration_s=half_s, warm_up=warm_up),
    )


def overlapped_fps(
    answerer: Answerer,
    source: Source,
    output: Output,
    *,
    duration_s: float | None = None,
    warm_up: int = WARM_UP,
) -> float:
    """Frames a second of the pipeline, to the source's end or for ``duration_s``, from the last one of the warm-up on.

    CameraError where it ends within the frames of the warm-up.
    """
    begun_s = ended_s = 0.0
    frames = 0
    for frames, result in enumerate(Pipeline(answerer, source), 1):
        output(result)
        ended_s = perf_counter()
        if frames == warm_up:
            begun_s = ended_s
        elif frames > warm_up and duration_s and ended_s - begun_s >= duration_s:
            break
    if frames <= warm_up:
        raise _too_short(source, warm_up)
    return (frames - warm_up) / (ended_s - begun_s)


def _too_short(source: Source, warm_up: int) -> CameraError:
    return CameraError(f"{source.name}: ends within {warm_up} frames, which is too short to time anything")
