"""What edgekit's quantization is held to, judged on the figures of one run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers import PEERS
from benchmarks.trials import SOURCE, Closeness
from edgekit.profiling import ratio_ci

CHOICE = "edgekit's choice"
CANDIDATE = "edgekit: "
OURS = (f"{CANDIDATE}onnxruntime int8", f"{CANDIDATE}openvino int8 qdq")
"""Candidates that edgekit's own quantizer makes; other int8 ones come from the converters' tools."""

CALIBRATION_RATIO, PEAK_RATIO = 2.0, 1.05
ABOVE_PEERS_DB, LITE0_DB, GHOSTNET_POINTS, MINILM_COSINE, SLOWER = 6.0, 22.0, 0.3, 0.995, 1.03

Interval = tuple[float, float, float]
"""Estimate, and the ends of its 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One promise and what was found."""

    model: str
    what: str
    wanted: str
    found: str
    margin: float
    """How far on the right side, in the unit of ``wanted``; negative: missed by so much."""

    @property
    def passed(self) -> bool:
        return self.margin >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything measured of one model."""

    model: str
    convolutional: bool
    choice: str
    """What edgekit chose, in words."""
    found: Mapping[str, Closeness]
    times: Mapping[str, Sequence[float]]

    def ratio(self, name: str, other: str = SOURCE) -> Interval:
        return ratio_ci(self.times[name], self.times[other])

    @property
    def peers(self) -> list[str]:
        """Those that made something that runs."""
        return [name for name in PEERS if name in self.found]

    @property
    def fastest_peer(self) -> str:
        return min(self.peers, key=lambda name: self.ratio(name)[0])

    @property
    def nearest_peer(self) -> str:
        return max(self.peers, key=lambda name: self.found[name].sqnr_db)

    @property
    def ours(self) -> list[str]:
        """What edgekit's own quantization made in int8."""
        return [name for name in OURS if name in self.found]


def judge(outcomes: Sequence[Outcome]) -> Iterator[Bar]:
    """Every bar on accuracy and latency that holds for these models."""
    for outcome in outcomes:
        if outcome.convolutional:
            yield _above_peers(outcome)
        if outcome.model == "efficientnet-lite0":
            yield _all_int8(outcome)
        if outcome.model == "ghostnet-fashion-mnist":
            yield _labels(outcome)
        if outcome.model == "minilm":
            yield _cosine(outcome)
        yield _latency(outcome)
    logs = [math.log(o.ratio(CHOICE, o.fastest_peer)[0]) for o in outcomes]
    mean = math.exp(sum(logs) / len(logs))
    yield Bar(
        model="all", what="geometric mean of the choice's time / fastest peer's", wanted="< 1",
        found=f"{mean:.3f}", margin=1 - mean,
    )  # fmt: skip


def calibration_bar(model: str, name: str, ratio: Interval) -> Bar:
    """A calibrator's processor time over plain inference's."""
    return Bar(
        model=model, what=f"{name}: time / plain inference", wanted=f"<= {CALIBRATION_RATIO:g}", found=_interval(ratio),
        margin=CALIBRATION_RATIO - ratio[0],
    )  # fmt: skip


def memory_bar(model: str, name: str, few: int, many: int, ratio: float) -> Bar:
    """A calibrator's peak memory with many samples over that with few."""
    return Bar(
        model=model, what=f"{name}: peak memory, {many} samples / {few}", wanted=f"<= {PEAK_RATIO:g}", found=f"{ratio:.3f}",
        margin=PEAK_RATIO - ratio,
    )  # fmt: skip


def _above_peers(outcome: Outcome) -> Bar:
    """The nearest that is not shown to be slower than the nearest peer: of our int8 artifacts, and what was chosen.

    Where int8 is slower that is a float artifact, and it is said.
    """
    peer = outcome.nearest_peer
    theirs = outcome.found[peer].sqnr_db
    quick = [name for name in (*outcome.ours, CHOICE) if outcome.ratio(name, peer)[1] <= 1]
    best = max(quick or outcome.ours, key=lambda name: outcome.found[name].sqnr_db)
    ours = outcome.found[best].sqnr_db
    slower = "" if quick else ", and slower"
    return Bar(
        model=outcome.model,
        what=f"{best}{f' ({outcome.choice})' * (best == CHOICE)}: SQNR above {peer}, no slower",
        wanted=f">= {theirs:.1f} + {ABOVE_PEERS_DB:g} dB",
        found=f"{ours:.1f} dB (+{ours - theirs:.1f}) in {_interval(outcome.ratio(best, peer))} of its time{slower}",
        margin=ours - theirs - ABOVE_PEERS_DB if quick else -math.inf,
    )


def _all_int8(outcome: Outcome) -> Bar:
    best = max(outcome.ours, key=lambda name: outcome.found[name].sqnr_db)
    sqnr = outcome.found[best].sqnr_db
    return Bar(
        model=outcome.model, what=f"{best}: SQNR", wanted=f">= {LITE0_DB:g} dB", found=f"{sqnr:.1f} dB",
        margin=sqnr - LITE0_DB,
    )  # fmt: skip


def _labels(outcome: Outcome) -> Bar:
    """The worst of edgekit's own int8 artifacts counts."""
    lost = {}
    for name in outcome.ours:
        accuracy = outcome.found[name].verdict.accuracy
        if accuracy is not None:
            lost[name] = 100 * (accuracy.source - accuracy.artifact)
    worst = max(lost, key=lambda name: lost[name])
    return Bar(
        model=outcome.model, what=f"{worst}: points of labelled accuracy lost", wanted=f"<= {GHOSTNET_POINTS:g}",
        found=f"{lost[worst]:.1f}", margin=round(GHOSTNET_POINTS - lost[worst], 9),
    )  # fmt: skip


def _cosine(outcome: Outcome) -> Bar:
    found = outcome.found[CHOICE]
    least = found.verdict.fidelity.cosine
    return Bar(
        model=outcome.model, what="smallest sentence cosine of the choice", wanted=f">= {MINILM_COSINE}",
        found=f"{least:.4f} (mean {found.mean_cosine:.4f})", margin=least - MINILM_COSINE,
    )  # fmt: skip


def _latency(outcome: Outcome) -> Bar:
    ratio = outcome.ratio(CHOICE, outcome.fastest_peer)
    return Bar(
        model=outcome.model, what=f"choice's time / fastest peer's ({outcome.fastest_peer})", wanted=f"<= {SLOWER}",
        found=_interval(ratio), margin=SLOWER - ratio[0],
    )  # fmt: skip


def _interval(ratio: Interval) -> str:
    return f"{ratio[0]:.3f} ({ratio[1]:.3f} to {ratio[2]:.3f})"
