"""What a trial found, and the file that holds all of them: ``tune.json``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field

from edgekit.bundles.manifest import Accuracy, Fidelity, Timing
from edgekit.quantization.observers import RangeMethod
from edgekit.strict import Strict
from edgekit.tuning.space import Point, Rounding
from edgekit.vocabulary import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping


class Trial(Strict):
    """One point of the space and its figures."""

    number: int
    """From 1, in the order of the search."""
    candidate: str
    converter: str
    variant: str
    precision: Precision
    runtime: str
    ranges: RangeMethod | None
    rounding: Rounding | None
    threads: int
    artifact_sha256: str | None = None
    size_bytes: int | None = None
    fidelity: Fidelity | None = None
    accuracy: Accuracy | None = None
    timing: Timing | None = None
    """In turn with the source model, which has all threads of the target in every trial; of a finalist, in the final."""
    search_timing: Timing | None = None
    """The trial's own, where ``timing`` is that of the final."""
    peak_bytes: int | None = None
    """Highest resident memory of the runner's process."""
    same_as: int | None = None
    """The trial of the very same artifact whose figures these are."""
    reason: str | None = None
    """Why it is of no use, whatever the limits."""

    @property
    def point(self) -> Point:
        return Point(
            candidate=self.candidate, ranges=self.ranges, rounding=self.rounding, threads=self.threads
        )

    @property
    def sound(self) -> bool:
        """Whether it has all figures and answers like the source."""
        return self.reason is None

    @property
    def quality(self) -> float:
        """Accuracy where there are labels, else SQNR in dB; the same for all trials of a search."""
        if self.accuracy is not None:
            return self.accuracy.artifact
        return self.fidelity.sqnr_db if self.fidelity else 0.0

    def facts(self) -> dict[str, Any]:
        """As ``tune --json`` prints it."""
        return {
            **self.model_dump(mode="json"),
            "latency_ms": {"p50": self.timing.p50_ms} if self.timing else None,
            "source_latency_ms": {"p50": self.timing.source_p50_ms} if self.timing else None,
            "memory_bytes": {"peak": self.peak_bytes} if self.peak_bytes is not None else None,
        }


class Limits(Strict):
    """What the user allows."""

    latency_ms: float | None = None
    """Highest p50."""
    memory_bytes: int | None = None
    """Highest resident memory of the runner's process."""
    max_drop: float | None = None
    """Highest loss of accuracy; None: a point where there are labels, anything where there are none."""
    precisions: tuple[Precision, ...] = get_args(Precision)
    """Asked for; what has another one is handed out only where none of these keeps to the others."""


class Finalist(Strict):
    """A trial in the final."""

    trial: int
    times_ms: tuple[float, ...] = ()
    """Of each round, parallel to the source's and to those of the other finalists."""
    reason: str | None = None
    """Why it has no times."""


class Final(Strict):
    """The fastest of the front, timed in turn with each other and the source model."""

    source_ms: tuple[float, ...]
    finalists: tuple[Finalist, ...]

    @property
    def times_ms(self) -> dict[int, tuple[float, ...]]:
        """By the number of the trial; without those that failed."""
        return {item.trial: item.times_ms for item in self.finalists if item.reason is None}


class TuneRecord(Strict):
    """``tune.json``."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    edgekit: str
    model: str
    target: str
    machine: str
    source_threads: int
    """Threads of the source model that every trial was timed in turn with."""
    data: str
    """What fidelity and accuracy were taken on."""
    limits: Limits
    points: int
    """How many there are to try."""
    trials: tuple[Trial, ...]
    front: tuple[int, ...]
    """Numbers of the trials that no other one beats in latency, memory and accuracy, the fastest first."""
    final: Final | None = None
    """None where one trial was clearly the fastest, or none keeps to the limits."""
    chosen: int | None
    reason: str
    """Why this one; where none keeps to the limits, what stands in the way."""
    nearest: int | None = None
    """The trial that comes nearest to the limits, where none keeps to them."""
    bundle: str | None = None
    """Name of what was handed out, beside this file."""

    def write(self, path: Path) -> None:
        """Write it whole or not at all. OSError where that fails."""
        staging = path.with_name(f".{path.name}.part")
        staging.write_text(self.model_dump_json(by_alias=True, indent=2) + "\n", encoding="utf-8")
        staging.replace(path)


def is_tune_record(data: object) -> bool:
    """Whether parsed JSON is meant to be a ``tune.json``."""
    return isinstance(data, dict) and {"trials", "front"} <= data.keys()


def numbered(trials: Mapping[Point, Trial]) -> tuple[Trial, ...]:
    return tuple(sorted(trials.values(), key=lambda trial: trial.number))
