"""Try one point: build it, compare it with the source, take its memory and its time."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.write import ARTIFACT
from edgekit.conversion.trial import FINAL_ROUNDS, Tried, Yardstick, started, timing_of, try_candidate
from edgekit.digest import digests
from edgekit.errors import ContractError, ConversionError, DeviceError, EnvironmentSetupError
from edgekit.host import detect
from edgekit.profiling.interleave import interleave
from edgekit.profiling.measure import WARMUP_RUNS, memory_by_phase
from edgekit.tuning.record import Trial

if TYPE_CHECKING:
    from edgekit.bundles.manifest import Timing
    from edgekit.conversion.workshop import Built, Workshop
    from edgekit.devices import RunnerSession
    from edgekit.tuning.kept import KeptAnswers
    from edgekit.tuning.space import Point, Space


@dataclass(slots=True, kw_only=True)
class Bench:
    """What all trials of a search share; close it by its stack."""

    space: Space
    workshop: Workshop
    yardstick: Yardstick
    work: Path
    kept: KeptAnswers
    stack: ExitStack
    """Closes the source model's runner."""
    source_threads: int
    _source: RunnerSession | None = None
    _tried: dict[tuple[str, str, str], Tried] = field(default_factory=dict)

    def measure(self, point: Point, number: int, done: Iterable[Trial]) -> Trial:
        """The figures of ``point``, or why it has none. ``done``: trials whose artifacts need not be measured again.

        DeviceError where the source model does not run: no artifact is to blame for that.
        """
        candidate = self.space.candidates[point.candidate]
        assert candidate.precision is not None  # it can be built
        trial = Trial(
            number=number,
            candidate=point.candidate,
            converter=candidate.converter,
            variant=candidate.variant,
            precision=candidate.precision,
            runtime=candidate.runtime.id,
            ranges=point.ranges,
            rounding=point.rounding,
            threads=point.threads,
        )
        try:
            built, tried = self.try_point(point)
        except (ConversionError, EnvironmentSetupError) as error:
            return trial.model_copy(update={"reason": str(error)})
        except (DeviceError, ContractError) as error:
            return trial.model_copy(update={"reason": f"its artifact does not run as it should: {error}"})
        verdict = tried.verdict
        trial = trial.model_copy(
            update={
                "artifact_sha256": built.sha256,
                "size_bytes": sum(file.size_bytes for file in digests(tried.folder / ARTIFACT)),
                "fidelity": verdict.fidelity,
                "accuracy": verdict.accuracy,
                "reason": verdict.reason,
            }
        )
        if verdict.reason:
            return trial
        if twin := _twin(trial, done):
            figures = {"timing": twin.timing, "peak_bytes": twin.peak_bytes, "reason": twin.reason}
            return trial.model_copy(update={**figures, "same_as": twin.number})
        source = self.source()
        try:
            peak, timing = self._run(tried.folder, point.threads, source)
        except DeviceError as error:
            source.run(1)  # raises where it was the one that ended
            return trial.model_copy(
                update={
                    "reason": f"its artifact does not run as it should on {point.threads} threads: {error}"
                }
            )
        return trial.model_copy(update={"peak_bytes": peak, "timing": timing})

    def try_point(self, point: Point) -> tuple[Built, Tried]:
        """Its artifact, laid out as a bundle and compared with the source; finished steps and answers are reused."""
        candidate = self.space.candidates[point.candidate]
        built = self.workshop.build(candidate, point.quantization)
        key = (point.candidate, candidate.runtime.id, built.sha256)
        if key not in self._tried:
            folder = self.work / f"bundle-{len(self._tried)}"
            self._tried[key] = try_candidate(self.yardstick, candidate, built, folder)
            self.kept.keep(self.yardstick.known)
        return built, self._tried[key]

    def source(self) -> RunnerSession:
        """The source model, ready to be timed; one process for all trials."""
        if self._source is None:
            yardstick = self.yardstick
            self._source = started(
                self.stack, yardstick.device, yardstick.bundle, threads=self.source_threads
            )
        return self._source

    def _run(self, bundle: Path, threads: int, source: RunnerSession) -> tuple[int, Timing]:
        """Peak memory of a fresh runner, and its time in turn with the source model's. DeviceError where one fails."""
        with self.yardstick.device.start(bundle, threads=threads) as session:
            peak = memory_by_phase(session, WARMUP_RUNS).peak
            times = interleave({"source": source, "artifact": session}, rounds=FINAL_ROUNDS)
        return peak, timing_of(times["artifact"], times["source"], threads, detect().cpu)


def _twin(trial: Trial, done: Iterable[Trial]) -> Trial | None:
    """An earlier trial of the very same bytes, run in the same way."""

    def run(item: Trial) -> tuple[object, ...]:
        return item.artifact_sha256, item.converter, item.runtime, item.precision, item.threads

    return next((other for other in done if run(other) == run(trial)), None)
