"""Compare two bundles by measuring both now, in turn.

Pairs of fresh processes, one of each bundle, run side by side and take turns block by block. Each pair gives one
ratio; how the pairs' ratios differ is the uncertainty, whatever its cause: neighbours, drift, memory layout.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from edgekit.bundles import Bundle
from edgekit.devices import Device, RunnerSession
from edgekit.errors import EdgekitError
from edgekit.profiling.blocks import TimedBlock, is_computing, time_block, undisturbed_ms, warm_up
from edgekit.profiling.comparison import Comparison, Metric, MetricName
from edgekit.profiling.measure import cold_start
from edgekit.profiling.predicted import check_runs_here
from edgekit.profiling.record import Start
from edgekit.profiling.statistics import percentile, ratio_ci
from edgekit.progress import Advance

PAIRS = 8
"""Of processes: with 6 or more the pairs alone give an interval at 95 %."""
DURATION_S = 20.0
_FLOOR_MEMORY = 0.01
MIN_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one process of a pair measured."""

    start: Start
    peak_bytes: int
    blocks: tuple[TimedBlock, ...]

    @property
    def samples_ms(self) -> list[float]:
        return [sample for block in self.blocks for sample in block.samples_ms]


Pair = tuple[Side, Side]


def compare_bundles(
    a: Bundle,
    b: Bundle,
    device: Device,
    *,
    threads: int = 1,
    duration_s: float = DURATION_S,
    pairs: int = PAIRS,
    advance: Advance | None = None,
) -> Comparison:
    """Measure both on ``device`` in turn. DeviceError where one fails or answers wrongly."""
    check_runs_here(a)
    check_runs_here(b)
    if device.kind == "emulated":
        raise EdgekitError(
            f"{device.name}: its time means nothing, so nothing is timed there in turn. Count once for each with: "
            f"edgekit profile BUNDLE --on {device.name} -o FILE, and compare the files"
        )
    measured: list[Pair] = []
    for index in range(pairs):
        if advance:
            advance(index, pairs, f"{a.path.name} and {b.path.name} in turn")
        measured.append(_measure_pair((a, b), device, threads, duration_s / pairs, flipped=index % 2 == 1))
    return Comparison(
        a=a.path.name,
        b=b.path.name,
        how="interleaved",
        device=device.name,
        kind=device.kind,
        metrics=pair_metrics(measured, threads),
        notes=_notes(measured),
    )


def pair_metrics(pairs: Sequence[Pair], threads: int) -> tuple[Metric, ...]:
    """Every metric from what the pairs measured; at least one pair."""
    blocks = [block.block for pair in pairs for side in pair for block in side.blocks]
    computing = is_computing(blocks, threads)
    basis = "processor time of one thread" if computing else "wall time"

    def p50(side: Side) -> float:
        if computing:
            return median(undisturbed_ms(block.block, threads) for block in side.blocks)
        return percentile(side.samples_ms, 50)

    return (
        _metric("p50", pairs, p50, basis),
        _metric("p90", pairs, lambda side: percentile(side.samples_ms, 90), "wall time"),
        _metric("p99", pairs, lambda side: percentile(side.samples_ms, 99), "wall time"),
        _metric("cold_start", pairs, lambda side: side.start.wall_ms, "wall time"),
        _memory(pairs),
    )


def _metric(name: MetricName, pairs: Sequence[Pair], value: Callable[[Side], float], basis: str) -> Metric:
    first, second = [value(a) for a, _ in pairs], [value(b) for _, b in pairs]
    ratio, low, high = ratio_ci(second, first)
    return Metric(
        name=name,
        unit="ms",
        a=median(first),
        b=median(second),
        ratio=ratio,
        ci_low=low,
        ci_high=high,
        basis=basis,
    )


def _memory(pairs: Sequence[Pair]) -> Metric:
    first, second = [float(a.peak_bytes) for a, _ in pairs], [float(b.peak_bytes) for _, b in pairs]
    ratio, low, high = ratio_ci(second, first)
    return Metric(
        name="memory",
        unit="bytes",
        a=median(first),
        b=median(second),
        ratio=ratio,
        ci_low=min(low, ratio * (1 - _FLOOR_MEMORY)),
        ci_high=max(high, ratio * (1 + _FLOOR_MEMORY)),
        basis="kernel's peak of resident memory",
    )


def _measure_pair(
    bundles: tuple[Bundle, Bundle], device: Device, threads: int, duration_s: float, *, flipped: bool
) -> Pair:
    """A process of each, started one after the other, then taking turns; ``flipped``: b comes first."""
    order = (1, 0) if flipped else (0, 1)
    with ExitStack() as stack:
        running = {which: _start(stack, bundles[which], device, threads) for which in order}
        deadline, rounds = time.perf_counter() + duration_s, 0
        while rounds < MIN_ROUNDS or time.perf_counter() < deadline:
            # there and back: nobody always runs first
            for which in order if rounds % 2 == 0 else order[::-1]:
                running[which].time_block()
            rounds += 1
    return running[0].side(), running[1].side()


@dataclass(slots=True)
class _Running:
    """A process under way."""

    session: RunnerSession
    start: Start
    block_runs: int
    peak_bytes: int
    blocks: list[TimedBlock] = field(default_factory=list)

    def time_block(self) -> None:
        self.blocks.append(time_block(self.session, self.block_runs))

    def side(self) -> Side:
        return Side(start=self.start, peak_bytes=self.peak_bytes, blocks=tuple(self.blocks))


def _start(stack: ExitStack, bundle: Bundle, device: Device, threads: int) -> _Running:
    session = stack.enter_context(device.start(bundle.folder, threads=threads, keep_peaks=True))
    start = cold_start(session)
    size = warm_up(session)
    return _Running(session, start, size, int(session.memory()["peak"]))


def _notes(pairs: Sequence[Pair]) -> tuple[str, ...]:
    sides = [side for pair in pairs for side in pair]
    others = median(block.block.others_cores for side in sides for block in side.blocks)
    samples = sum(len(side.samples_ms) for side in sides) // 2
    taken = f"{samples} inferences of each in {len(pairs)} pairs of processes, in turn"
    return (taken, f"others kept {others:.1f} cores busy meanwhile")
