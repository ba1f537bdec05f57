"""Give up, before anything is built, what is too slow on its target by prediction.

Only whole intervals decide, only of graphs like those that were measured, and only constants of the runtime's own
kernels: everything else is built and, where that is possible, timed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edgekit.catalog_schema import Profile
from edgekit.conversion.candidates import Candidate
from edgekit.errors import ModelError
from edgekit.models import Model
from edgekit.simulation import Prediction
from edgekit.simulation.kin import alike
from edgekit.simulation.layers import layers_of
from edgekit.simulation.predict import predict
from edgekit.simulation.work import Work
from edgekit.vocabulary import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Paces:
    """What the candidates for one target would take there, as far as that is known."""

    model: Model
    profile: Profile
    most_threads: int
    """That the artifact will be given; fewer may be tried."""
    _work: Work | None

    @classmethod
    def on(cls, profile: Profile, model: Model, *, most_threads: int) -> Paces:
        """Nothing is known of a graph that does not tell, nor by a profile without speeds."""
        try:
            work = Work.of(layers_of(model)) if profile.speeds else None
        except ModelError:
            work = None
        return cls(model=model, profile=profile, most_threads=most_threads, _work=work)

    def keeping_to(self, latency_ms: float | None, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """The candidates, those given up whose whole interval lies beyond ``latency_ms`` on any number of threads."""
        if latency_ms is None:
            return tuple(candidates)
        return tuple(self._held_to(latency_ms, candidate) for candidate in candidates)

    def without_outpaced(
        self, candidates: Sequence[Candidate], asked: Sequence[Precision]
    ) -> tuple[Candidate, ...]:
        """The candidates, those given up that another one replaces in less time, interval against whole interval.

        Another one replaces a candidate where it is in fp32, or quantized by edgekit to the same integers, and ``asked``
        for where the candidate is.
        """
        known = [(item, found) for item in candidates if (found := self._on_most(item)) is not None]
        return tuple(_outpaced(item, known, asked) if item.reason is None else item for item in candidates)

    def _held_to(self, latency_ms: float, candidate: Candidate) -> Candidate:
        on_most, found = self._on_most(candidate), self._predictions(candidate)
        if on_most is None or any(item.latency_ms.low <= latency_ms for item in found):
            return candidate
        return candidate.without(f"{_words(on_most)}, more than the {latency_ms:g} ms asked for")

    def _on_most(self, candidate: Candidate) -> Prediction | None:
        """On all threads. Sources that state none measured on all cores."""
        found = self._predictions(candidate)
        exact = [item for item in found if item.speed.threads == self.most_threads]
        unstated = [item for item in found if item.speed.threads is None]
        return next(iter([*exact, *unstated]), None)

    def _predictions(self, candidate: Candidate) -> list[Prediction]:
        """By constants of the candidate's own runtime, else of the same kernels; empty where any lies outside its domain."""
        if self._work is None or candidate.reason is not None or candidate.precision is None:
            return []
        precision: Precision = "int8" if self.model.quantized else candidate.precision
        found = predict(candidate.target.id, self.profile, self._work, (precision,))
        for runtime in alike(candidate.runtime.id):
            own = [
                item
                for item in found
                if item.speed.runtime == runtime and (item.speed.threads or 1) <= self.most_threads
            ]
            if own:
                return own if all(item.in_domain for item in own) else []
        return []


def _outpaced(
    slow: Candidate, known: Iterable[tuple[Candidate, Prediction]], asked: Sequence[Precision]
) -> Candidate:
    own = next((found for item, found in known if item is slow), None)
    if own is None:
        return slow
    for other, found in known:
        if _replaces(other, slow, asked) and found.latency_ms.high < own.latency_ms.low:
            reason = (
                f"{_words(own)}, and {other.label} {found.latency_ms.p50:.3g} ms "
                f"({found.latency_ms.high:.3g} ms at the most), which is as exact"
            )
            return replace(slow.without(reason), in_reserve=True)
    return slow


def _replaces(other: Candidate, slow: Candidate, asked: Sequence[Precision]) -> bool:
    """Whether nothing is lost by ``other`` but time."""
    if other.precision not in asked and slow.precision in asked:
        return False
    if other.precision == "fp32":
        return True
    ours, theirs = other.quantizer.variant, slow.quantizer.variant
    same_integers = ours.quantized_by == theirs.quantized_by == "edgekit" and ours.takes == theirs.takes
    return same_integers and other.precision == slow.precision


def _words(found: Prediction) -> str:
    speed, latency = found.speed, found.latency_ms
    return (
        f"predicted to take {latency.p50:.3g} ms there, {latency.low:.3g} ms at the least "
        f"({speed.runtime} {speed.version}; predictions of it are off by {speed.error_pct.median:.0f} % in the median)"
    )
