"""The final: who may be the fastest of the front is timed once more, all in one run, before one is handed out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from edgekit.conversion.choose import WORTHWHILE
from edgekit.conversion.trial import FINAL_ROUNDS, started, timing_of
from edgekit.errors import DeviceError
from edgekit.profiling.interleave import interleave
from edgekit.tuning.record import Final, Finalist, Trial

if TYPE_CHECKING:
    from edgekit.bundles.manifest import Timing
    from edgekit.devices import RunnerSession
    from edgekit.tuning.bench import Bench

MOST = 4
"""Finalists; each is a process with a model in memory."""


def finalists(front: Sequence[Trial]) -> tuple[Trial, ...]:
    """Those of a front (the fastest first) that the trials alone do not tell apart; none where the first stands alone.

    Their intervals overlap that of the fastest, or they are so near that accuracy decides.
    """
    if not front:
        return ()
    fastest = _timing(front[0])
    near = [
        trial
        for trial in front
        if _timing(trial).ratio_ci_low <= fastest.ratio_ci_high
        or _timing(trial).ratio * WORTHWHILE <= fastest.ratio
    ]
    return tuple(near[:MOST]) if len(near) > 1 else ()


def run_final(bench: Bench, trials: Sequence[Trial]) -> Final:
    """Time the artifacts of ``trials`` in turn with each other and the source model.

    DeviceError where one that has begun as it should fails in between.
    """
    source, failed = bench.source(), {}
    with ExitStack() as stack:
        sessions: dict[int, RunnerSession] = {}
        for trial in trials:
            _, tried = bench.try_point(trial.point)
            try:
                sessions[trial.number] = started(
                    stack, bench.yardstick.device, tried.folder, threads=trial.threads
                )
            except DeviceError as error:
                failed[trial.number] = f"in the final its artifact does not run as it should: {error}"
        running = {"source": source, **{str(number): session for number, session in sessions.items()}}
        times = interleave(running, rounds=FINAL_ROUNDS)
    return Final(
        source_ms=tuple(times["source"]),
        finalists=tuple(
            Finalist(
                trial=trial.number,
                times_ms=tuple(times.get(str(trial.number), ())),
                reason=failed.get(trial.number),
            )
            for trial in trials
        ),
    )


def retimed(trials: Sequence[Trial], final: Final) -> tuple[Trial, ...]:
    """The trials with the times of the final in place of their own."""
    known = {finalist.trial: finalist for finalist in final.finalists}
    return tuple(
        _retimed(trial, known[trial.number], final) if trial.number in known else trial for trial in trials
    )


def _retimed(trial: Trial, finalist: Finalist, final: Final) -> Trial:
    if finalist.reason:
        return trial.model_copy(update={"reason": finalist.reason})
    times, source = list(finalist.times_ms), list(final.source_ms)
    timing = timing_of(times, source, trial.threads, _timing(trial).machine)
    return trial.model_copy(update={"timing": timing, "search_timing": trial.timing})


def _timing(trial: Trial) -> Timing:
    assert trial.timing is not None  # it is sound
    return trial.timing
