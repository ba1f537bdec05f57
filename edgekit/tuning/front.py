"""Which trials are worth having, which of them keeps to the limits, and which comes nearest where none does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.conversion.choose import DEFAULT_MAX_DROP, WORTHWHILE, allowed_drop, drop_problem
from edgekit.profiling.statistics import ratio_ci
from edgekit.tuning.record import Final, Limits, Trial

MEGABYTE = 1_000_000
TELLABLE = 0.02
"""Times that differ by less are the same."""
SAMPLES, DECIBELS = 2, 0.1
"""Accuracies that differ by no more samples are the same, without labels SQNRs that differ by no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A limit that a trial does not keep to."""

    limit: str
    by: float
    """In parts of the limit."""
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What comes of the trials under the limits."""

    front: tuple[Trial, ...]
    """The fastest first; of all sound trials where none keeps to the limits."""
    chosen: Trial | None
    nearest: Trial | None
    """None where one was chosen, or none is sound."""
    reason: str


def misses(trial: Trial, limits: Limits) -> tuple[Miss, ...]:
    """Every limit that a sound trial breaks."""
    return tuple(_misses(trial, limits))


def front(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The sound trials that no other one beats: as fast, as small, as accurate, and better in one of these.

    Differences below what can be measured again count for nothing: 2 % of the time, a megabyte, two samples or a
    tenth of a dB. Of equal ones that on the fewest threads stands for all.
    """
    kept: list[Trial] = []
    # who beats another one comes before it
    for trial in sorted((trial for trial in trials if trial.sound), key=_rank):
        if not any(_beats(other, trial) for other in kept):
            kept.append(trial)
    return tuple(sorted(kept, key=_ratio))


def pick(trials: Sequence[Trial], limits: Limits, final: Final | None = None) -> Pick:
    """The front under the limits, and its trial to hand out: the fastest, of equally fast ones the most accurate.

    Of the precisions asked for, where a trial of these keeps to the limits; of the finalists, where ``final`` was held
    among ``trials``, which have its times.
    """
    sound = [trial for trial in trials if trial.sound]
    if not sound:
        reasons = dict.fromkeys(trial.reason for trial in trials if trial.reason)
        return Pick(front=(), chosen=None, nearest=None, reason="; ".join(reasons) or "nothing was tried")
    keeping = [trial for trial in sound if not misses(trial, limits)]
    if not keeping:
        nearest = min(_asked(sound, limits), key=lambda trial: (_distance(trial, limits), _ratio(trial)))
        words = "; ".join(miss.words for miss in misses(nearest, limits))
        reason = f"no trial keeps to the limits; the nearest, {nearest.point.label}, {words}"
        return Pick(front=front(_asked(sound, limits)), chosen=None, nearest=nearest, reason=reason)
    found = front(_asked(keeping, limits))
    if final and (contested := [trial for trial in found if trial.number in final.times_ms]):
        chosen, reason = _winner(contested, final)
    else:
        chosen, reason = _fastest(found)
    if chosen.precision not in limits.precisions:
        asked = " or ".join(limits.precisions)
        reason = f"nothing of what was asked for ({asked}) keeps to the limits; {reason}"
    return Pick(front=found, chosen=chosen, nearest=None, reason=reason)


def _asked(trials: Sequence[Trial], limits: Limits) -> Sequence[Trial]:
    """Those of a precision that was asked for; all where none has one."""
    return [trial for trial in trials if trial.precision in limits.precisions] or trials


def _fastest(found: Sequence[Trial]) -> tuple[Trial, str]:
    """The one to hand out by the trials' own times, and why."""
    fastest = found[0]
    as_fast = [trial for trial in found if _ratio(trial) * WORTHWHILE <= _ratio(fastest)]
    chosen = max(as_fast, key=lambda trial: trial.quality)
    if chosen is fastest:
        return chosen, _why_fastest(chosen)
    return (
        chosen,
        f"{_takes(chosen)}, as {fastest.point.label} does ({_ratio(fastest):.2f}), and is more accurate",
    )


def _winner(contested: Sequence[Trial], final: Final) -> tuple[Trial, str]:
    """The one to hand out of those timed in one run (the fastest first), and why.

    As ``convert`` has it, a less accurate one must be faster with its whole interval.
    """
    times, fastest = final.times_ms, contested[0]
    gains = {trial.number: ratio_ci(times[fastest.number], times[trial.number]) for trial in contested}
    as_fast = [trial for trial in contested if gains[trial.number][2] >= WORTHWHILE]
    chosen = max(as_fast, key=lambda trial: trial.quality)
    run = f"timed in one run with {len(times) - 1} more of the front"
    if chosen is fastest:
        return chosen, f"{_why_fastest(chosen)}, {run}"
    ratio, low, high = gains[chosen.number]
    gain = (
        f"{fastest.point.label} takes {ratio:.2f} of its time ({low:.2f} to {high:.2f}) and is less accurate"
    )
    return chosen, f"{_takes(chosen)}, {run}; {gain}"


def _takes(trial: Trial) -> str:
    return f"takes {_ratio(trial):.2f} of the source model's time"


def _why_fastest(trial: Trial) -> str:
    assert trial.timing is not None  # it is sound
    if trial.timing.ratio_ci_low > 1:
        return f"{_takes(trial)}: slower than the source, but nothing faster keeps to all limits"
    return f"{_takes(trial)}: the fastest that keeps to all limits"


def _misses(trial: Trial, limits: Limits) -> Iterator[Miss]:
    assert trial.timing is not None  # it is sound
    assert trial.peak_bytes is not None
    assert trial.fidelity is not None
    p50, peak = trial.timing.p50_ms, trial.peak_bytes
    if limits.latency_ms is not None and p50 > limits.latency_ms:
        words = f"takes {p50:.2f} ms (p50), more than {limits.latency_ms:g} ms"
        yield Miss(limit="latency", by=p50 / limits.latency_ms - 1, words=words)
    if limits.memory_bytes is not None and peak > limits.memory_bytes:
        words = f"takes {peak / MEGABYTE:.1f} MB, more than {limits.memory_bytes / MEGABYTE:g} MB"
        yield Miss(limit="memory", by=peak / limits.memory_bytes - 1, words=words)
    if problem := drop_problem(trial.fidelity, trial.accuracy, limits.max_drop):
        allowed = allowed_drop(trial.accuracy, limits.max_drop)
        lost = (
            trial.accuracy.source - trial.accuracy.artifact
            if trial.accuracy
            else 1 - trial.fidelity.agreement
        )
        yield Miss(
            limit="max-drop", by=(lost - allowed) / max(allowed, DEFAULT_MAX_DROP), words=f"loses: {problem}"
        )


def _distance(trial: Trial, limits: Limits) -> float:
    return round(sum(miss.by for miss in misses(trial, limits)), 2)


def _ratio(trial: Trial) -> float:
    assert trial.timing is not None  # it is sound
    return trial.timing.ratio


def _costs(trial: Trial) -> tuple[int, int]:
    """Latency and memory in steps that a second measurement would tell apart."""
    assert trial.peak_bytes is not None  # it is sound
    return round(math.log(_ratio(trial)) / TELLABLE), round(trial.peak_bytes / MEGABYTE)


def _slack(trial: Trial) -> float:
    return SAMPLES / trial.accuracy.samples if trial.accuracy else DECIBELS


def _rank(trial: Trial) -> tuple[int, int, float, int, int]:
    return (*_costs(trial), -round(trial.quality / _slack(trial)), trial.threads, trial.number)


def _beats(other: Trial, trial: Trial) -> bool:
    """Whether ``other``, which comes before in rank, is as good in everything: then it is better, or the simpler one."""
    cheaper = all(theirs <= ours for theirs, ours in zip(_costs(other), _costs(trial), strict=True))
    return cheaper and other.quality >= trial.quality - _slack(trial) - 1e-9
