"""The stages one after the other, as a plain loop goes through them, and overlapped, as the camera runs them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter, process_time
from typing import Any

from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.times import STAGES, Stage
from edgekit.errors import CameraError

WARM_UP = 3
"""Frames before the timed ones of a pass: files, caches and clocks wake up."""
BUSY = 0.95
"""Of the bound: below it the processors are what keeps the pipeline back."""

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
    inferences: int
    """That may be under way at once."""
    workers: int
    cores: int

    @property
    def loop_fps(self) -> float:
        """Frames a second, one stage after the other."""
        return 1000 / sum(self.stages_ms.values())

    @property
    def longest(self) -> Stage:
        return max(self.stages_ms, key=lambda stage: self.stages_ms[stage])

    @property
    def longest_fps(self) -> float:
        """Frames a second of the longest stage by itself: the bound of a pipeline that does each one frame at a time."""
        return 1000 / self.stages_ms[self.longest]

    @property
    def bounds_fps(self) -> dict[str, float]:
        """Frames a second that a file can have at most: by what is done one frame at a time, by the inferences that may be
        under way, by the workers, each of which takes a frame through all but ``output``, and by the processors.
        """
        stages = self.stages_ms
        at_work_ms = sum(spent_ms for stage, spent_ms in stages.items() if stage != "output")
        bounds_ms = {
            "capture": stages["capture"],
            "inference": stages["inference"] / self.inferences,
            "output": stages["output"],
            "workers": at_work_ms / self.workers,
            "processors": self.cpu_ms / self.cores,
        }
        return {name: 1000 / spent_ms if spent_ms else float("inf") for name, spent_ms in bounds_ms.items()}

    @property
    def nearest(self) -> str:
        """Whose bound is the least."""
        bounds = self.bounds_fps
        return min(bounds, key=lambda name: bounds[name])

    @property
    def bound_fps(self) -> float:
        return self.bounds_fps[self.nearest]

    @property
    def limit(self) -> str:
        """What keeps it from being faster: a stage, the ``workers``, or the ``processors``."""
        return self.nearest if self.pipeline_fps >= BUSY * self.bound_fps else "processors"

    def facts(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            "inferences": self.inferences,
            "stages_ms": dict(self.stages_ms),
            "cpu_ms": self.cpu_ms,
            "loop_fps": self.loop_fps,
            "pipeline_fps": self.pipeline_fps,
            "limit": self.limit,
            "kind": "measured",
        }


def pace(
    opened: Callable[[], Pipeline],
    output: Output,
    *,
    duration_s: float | None = None,
    warm_up: int = WARM_UP,
) -> Pace:
    """Go through the source of what ``opened`` makes one stage after the other, then overlapped, to its end each time.

    ``duration_s``: for half of it at most, and again in turn until it is over; the pipeline's is the median rate.
    CameraError where the source ends within the frames of the warm-up.
    """
    half_s = duration_s and duration_s / 2
    loop, rates_fps = _Loop(warm_up), list[float]()
    begun_s = perf_counter()
    while not rates_fps or (duration_s and perf_counter() - begun_s < duration_s):
        alone = opened()
        loop.go_through(alone, output, half_s)
        rates_fps.append(overlapped_fps(opened(), output, duration_s=half_s, warm_up=warm_up))
    answerer = alone.answerer
    return Pace(
        frames=loop.frames,
        stages_ms={stage: seconds * 1000 / loop.frames for stage, seconds in loop.spent_s.items()},
        cpu_ms=loop.cpu_s * 1000 / loop.frames,
        pipeline_fps=statistics.median(rates_fps),
        inferences=answerer.lanes.count,
        workers=alone.workers,
        cores=int(answerer.context["cores"]),
    )


@dataclass
class _Loop:
    """A plain loop's time by stage, over all its passes."""

    warm_up: int
    frames: int = 0
    cpu_s: float = 0.0
    spent_s: dict[Stage, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def go_through(self, pipeline: Pipeline, output: Output, most_s: float | None) -> None:
        source, answerer, understanding = pipeline.source, pipeline.answerer, pipeline.understanding
        begun_s = begun_cpu_s = 0.0
        for index in count():
            if index == self.warm_up:
                begun_s, begun_cpu_s = perf_counter(), process_time()
            if most_s and index > self.warm_up and perf_counter() - begun_s >= most_s:
                break
            marks_s = [perf_counter()]
            frame = source.read()
            if frame is None:
                if index <= self.warm_up:
                    raise _too_short(source.name, self.warm_up)
                break
            marks_s.append(perf_counter())
            encoded = answerer.prepare(frame.image)
            marks_s.append(perf_counter())
            outputs = answerer.infer(encoded)
            marks_s.append(perf_counter())
            looked = understanding.look(frame, answerer, outputs, encoded.meta)
            result = Result(frame, *understanding.go_on(frame, looked))
            marks_s.append(perf_counter())
            output(result)
            marks_s.append(perf_counter())
            if index >= self.warm_up:
                self.frames += 1
                for stage, begin_s, end_s in zip(STAGES, marks_s, marks_s[1:], strict=False):
                    self.spent_s[stage] += end_s - begin_s
        self.cpu_s += process_time() - begun_cpu_s
        source.close()


def overlapped_fps(
    pipeline: Pipeline, output: Output, *, duration_s: float | None = None, warm_up: int = WARM_UP
) -> float:
    """Frames a second of the pipeline, to the source's end or for ``duration_s``, from the last one of the warm-up on.

    CameraError where it ends within the frames of the warm-up.
    """
    begun_s = ended_s = 0.0
    frames = 0
    for frames, result in enumerate(pipeline, 1):
        output(result)
        ended_s = perf_counter()
        if frames == warm_up:
            begun_s = ended_s
        elif frames > warm_up and duration_s and ended_s - begun_s >= duration_s:
            break
    if frames <= warm_up:
        raise _too_short(pipeline.source.name, warm_up)
    return (frames - warm_up) / (ended_s - begun_s)


def _too_short(name: str, warm_up: int) -> CameraError:
    return CameraError(f"{name}: ends within {warm_up} frames, which is too short to time anything")
