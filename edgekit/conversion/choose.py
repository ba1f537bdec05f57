"""Keep one of the verified candidates, and say of every other one why it was not kept.

The rules, and what they stand on, are in docs/decisions/0006-choice-of-the-candidate.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundles.manifest import Accuracy, Fidelity, Timing
from edgekit.conversion.candidates import Candidate
from edgekit.conversion.plan import PRECISIONS
from edgekit.conversion.prediction import Prediction
from edgekit.profiling.statistics import ratio_ci
from edgekit.vocabulary import Precision

WORTHWHILE = 0.97
"""A less exact candidate must take at most this share of the time; below it two runs could choose differently."""
DEFAULT_MAX_DROP = 0.01
UNTIMED_ORDER: tuple[Precision, ...] = (
    "int8", "int16x8", "int8-dynamic", "fp32", "int8-weights", "fp16", "int4-weights",
)  # fmt: skip
"""Where nothing was timed. fp16 comes late: CPU runtimes compute it in fp32, at best as fast. Unpacking weights
costs time that only a measurement weighs against the memory it spares, and 4 bits cost accuracy as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A candidate that was built and compared with the source."""

    candidate: Candidate
    folder: Path
    """Its bundle in the work folder."""
    fidelity: Fidelity
    accuracy: Accuracy | None
    size_bytes: int
    times_ms: tuple[float, ...] = ()
    """Taken in turn with the source's and the other entrants'; empty where nothing was timed."""
    timing: Timing | None = None
    prediction: Prediction | None = None
    """The compiler's, where it makes one."""
    out_of_final: str = ""
    """Why it was timed no further: another entrant, good enough as well, was that much faster."""

    @property
    def latency_ms(self) -> float | None:
        """The p50 that was taken, else what is foretold; None where neither is known."""
        if self.timing is not None:
            return self.timing.p50_ms
        return self.prediction.latency_ms if self.prediction else None

    @property
    def precision(self) -> Precision:
        precision = self.candidate.precision
        assert precision is not None  # it was built
        return precision

    def timed(self, times_ms: Sequence[float], timing: Timing) -> Entrant:
        return replace(self, times_ms=tuple(times_ms), timing=timing)


Lost = tuple[Entrant, str]
"""An entrant and why it is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The entrant to hand out, those that would have done, and those that would not."""

    kept: Entrant
    reason: str
    beaten: tuple[Lost, ...]
    """Good enough, but another one is better."""
    dropped: tuple[Lost, ...]
    """Not to be handed out."""


def allowed_drop(accuracy: Accuracy | None, max_drop: float | None) -> float:
    """``max_drop``; where it is None, one point, or what one sample is worth where that is more.

    One answer of eighteen that lies on a threshold would otherwise decide, and no smaller loss can be told from none.
    """
    if max_drop is not None:
        return max_drop
    return DEFAULT_MAX_DROP if accuracy is None else max(DEFAULT_MAX_DROP, 1 / accuracy.samples)


def drop_problem(fidelity: Fidelity, accuracy: Accuracy | None, max_drop: float | None) -> str | None:
    """Why the artifact loses more than is allowed; None where it does not.

    Without labels agreement is held to ``max_drop`` only where the user gave it: two classes between which the source
    itself wavers make a disagreement, but no error.
    """
    if accuracy is not None:
        limit = allowed_drop(accuracy, max_drop)
        lost = accuracy.source - accuracy.artifact
        if lost <= limit + 1e-9:
            return None
        return (
            f"{accuracy.metric} falls from {accuracy.source:.1%} to {accuracy.artifact:.1%} on "
            f"{accuracy.samples} samples; at most {limit:.1%} may be lost (--max-drop)"
        )
    if max_drop is None or 1 - fidelity.agreement <= max_drop + 1e-9:
        return None
    return (
        f"answers agree with the source's on {fidelity.agreement:.1%} of {fidelity.samples} samples; "
        f"at most {max_drop:.1%} may differ (--max-drop)"
    )


def choose(
    entrants: Sequence[Entrant], asked: Sequence[Precision], *, latency_ms: float | None = None
) -> Choice:
    """Choose among at least one entrant; all are timed, or none is.

    ``asked``: the precisions the user wants; another one is kept only where none of these holds.
    ``latency_ms``: highest p50 allowed; where none keeps to it, the fastest comes back and its reason says so.
    """
    ordered = sorted(
        entrants, key=lambda entrant: (-entrant.fidelity.sqnr_db, PRECISIONS.index(entrant.precision))
    )
    choice = _choose(ordered, asked, latency_ms)
    if choice.kept.precision in asked:
        return choice
    return replace(
        choice, reason=f"nothing of what was asked for ({' or '.join(asked)}) held; {choice.reason}"
    )


def _choose(ordered: Sequence[Entrant], asked: Sequence[Precision], latency_ms: float | None) -> Choice:
    """``ordered``: the most exact first."""
    if any(entrant.timing is None for entrant in ordered):
        return _choose_untimed(ordered, asked, latency_ms)
    out = [(entrant, entrant.out_of_final) for entrant in ordered if entrant.out_of_final]
    ordered = [entrant for entrant in ordered if not entrant.out_of_final]
    dropped = [(entrant, problem) for entrant in ordered if (problem := _time_problem(entrant, latency_ms))]
    losers = [entrant for entrant, _ in dropped]
    good = [entrant for entrant in ordered if entrant not in losers]
    if not good:
        return _nothing_gained(ordered, dropped, out)
    wanted = [entrant for entrant in good if entrant.precision in asked] or good
    kept = wanted[0]
    beaten = list(out)
    for entrant in wanted[1:]:
        ratio, low, high = ratio_ci(entrant.times_ms, kept.times_ms)
        if high < WORTHWHILE:
            beaten.append((kept, f"{_name(entrant)} takes {ratio:.2f} of its time ({low:.2f} to {high:.2f})"))
            kept = entrant
        else:
            beaten.append((entrant, f"not faster than the more exact {_name(kept)}: {ratio:.2f} of its time"))
    beaten += [(entrant, _not_asked(asked)) for entrant in good if entrant not in wanted]
    return Choice(kept=kept, reason=_kept_reason(kept), beaten=tuple(beaten), dropped=tuple(dropped))


def _time_problem(entrant: Entrant, latency_ms: float | None) -> str | None:
    timing = entrant.timing
    assert timing is not None
    if timing.ratio_ci_low > 1:
        interval = f"{timing.ratio_ci_low:.2f} to {timing.ratio_ci_high:.2f}"
        return f"slower than the source model: {timing.ratio:.2f} of its time ({interval})"
    if latency_ms is not None and timing.p50_ms > latency_ms:
        return f"takes {timing.p50_ms:.2f} ms (p50), more than the {latency_ms:g} ms asked for"
    return None


def _nothing_gained(ordered: Sequence[Entrant], dropped: Sequence[Lost], out: Sequence[Lost]) -> Choice:
    """Something must come back: the most exact precision there is, the fastest of it."""
    exact = [entrant for entrant in ordered if entrant.precision == ordered[0].precision]
    kept = min(exact, key=lambda entrant: entrant.timing.ratio if entrant.timing else 0.0)
    why = next(problem for entrant, problem in dropped if entrant is kept)
    others = tuple((entrant, problem) for entrant, problem in dropped if entrant is not kept)
    return Choice(
        kept=kept, reason=f"nothing better is left, although {why}", beaten=tuple(out), dropped=others
    )


def _choose_untimed(
    ordered: Sequence[Entrant], asked: Sequence[Precision], latency_ms: float | None
) -> Choice:
    wanted = [entrant for entrant in ordered if entrant.precision in asked] or list(ordered)
    if all(entrant.prediction for entrant in wanted):
        return _choose_predicted(ordered, wanted, asked, latency_ms)
    kept = min(wanted, key=_untimed_rank)
    beaten = []
    for entrant in ordered:
        if entrant is kept:
            continue
        reason = f"{_name(kept)} comes first by rule (not timed)" if entrant in wanted else _not_asked(asked)
        beaten.append((entrant, reason))
    reason = "not timed"
    if kept.precision in asked:
        reason = (
            "by rule, not timed: native int8 first, then the target's order of runtimes, then the more exact"
        )
    return Choice(kept=kept, reason=reason, beaten=tuple(beaten), dropped=())


def _choose_predicted(
    ordered: Sequence[Entrant],
    wanted: Sequence[Entrant],
    asked: Sequence[Precision],
    latency_ms: float | None,
) -> Choice:
    """The rule of timed ones, with what the compiler foretells: its model has no noise, but it is a model."""
    limit = math.inf if latency_ms is None else latency_ms
    good = [entrant for entrant in wanted if _predicted_ms(entrant) <= limit]
    good = good or [min(wanted, key=_predicted_ms)]
    dropped = tuple(
        (entrant, f"predicted to take {_predicted_ms(entrant):.2f} ms, more than the {limit:g} ms asked for")
        for entrant in wanted
        if entrant not in good
    )
    kept, beaten = good[0], list[Lost]()
    for entrant in good[1:]:
        ratio = _predicted_ms(entrant) / _predicted_ms(kept)
        if ratio < WORTHWHILE:
            beaten.append((kept, f"{_name(entrant)} is predicted to take {ratio:.2f} of its time"))
            kept = entrant
        else:
            reason = f"not predicted to be faster than the more exact {_name(kept)}: {ratio:.2f} of its time"
            beaten.append((entrant, reason))
    beaten += [(entrant, _not_asked(asked)) for entrant in ordered if entrant not in wanted]
    assert kept.prediction is not None
    reason = f"not timed: {kept.prediction.latency_ms:.2f} ms predicted by {kept.prediction.maker}"
    return Choice(kept=kept, reason=reason, beaten=tuple(beaten), dropped=dropped)


def _predicted_ms(entrant: Entrant) -> float:
    assert entrant.prediction is not None
    return entrant.prediction.latency_ms


def _untimed_rank(entrant: Entrant) -> tuple[int, int, float]:
    runtimes = [runtime.id for runtime in entrant.candidate.target.runtimes]
    precision = UNTIMED_ORDER.index(entrant.precision)
    return precision, runtimes.index(entrant.candidate.runtime.id), -entrant.fidelity.sqnr_db


def _kept_reason(kept: Entrant) -> str:
    timing = kept.timing
    assert timing is not None
    interval = f"{timing.ratio_ci_low:.2f} to {timing.ratio_ci_high:.2f}"
    return f"takes {timing.ratio:.2f} of the source model's time ({interval})"


def _not_asked(asked: Sequence[Precision]) -> str:
    return f"kept in reserve: {' or '.join(asked)} was asked for"


def _name(entrant: Entrant) -> str:
    return entrant.candidate.label
