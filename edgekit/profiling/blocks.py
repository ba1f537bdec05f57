"""Time a bundle in blocks, and tell what neighbours took away from what the artifact takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from edgekit.devices import RunnerSession
from edgekit.profiling.interleave import BLOCK_MS, block_runs
from edgekit.profiling.record import LatencyBlock, LatencyRecord
from edgekit.profiling.statistics import HONEST_P99, median_ci, percentile

MANY_WAITS = 0.2
"""Waits an inference. Above, it is more than computing, and processor time says too little of it."""


@dataclass(frozen=True, slots=True)
class TimedBlock:
    """A block and its raw times."""

    block: LatencyBlock
    samples_ms: tuple[float, ...]
    cpu_ms: tuple[float, ...]


def time_block(session: RunnerSession, runs: int, *, process: int = 0) -> TimedBlock:
    """Time ``runs`` inferences after one that is not kept: it pays for caches that others have emptied."""
    yardstick = session.yardstick()
    timed = session.timed_runs(runs, warmup=1)
    block = LatencyBlock(
        process=process,
        samples=runs,
        p50=median(timed.samples_ms),
        cpu_ms=median(timed.cpu_ms),
        others_cores=timed.others_ms / sum(timed.samples_ms),
        preemptions=timed.preemptions,
        waits=timed.waits,
        yardstick_ms=yardstick,
    )
    return TimedBlock(block, timed.samples_ms, timed.cpu_ms)


def warm_up(session: RunnerSession, *, runs: int = 10, block_ms: float = BLOCK_MS) -> int:
    """Run until steady; returns how many inferences fill a block, three at least: it has a median."""
    return max(3, block_runs(session.run(5, runs - 5), block_ms))


def undisturbed_ms(block: LatencyBlock, threads: int) -> float:
    """What the block's median would be with nobody else on the machine, as far as can be told.

    On one thread an inference that never waits takes its processor time, which preemption does not lengthen. On
    more threads processor time also counts spinning, and the wall time is all there is.
    """
    if block.preemptions and is_computing([block], threads):
        return min(block.p50, block.cpu_ms)
    return block.p50


def is_computing(blocks: Sequence[LatencyBlock], threads: int) -> bool:
    """Does processor time say what one inference takes? Not of several threads, nor of one that waits."""
    samples, waits = sum(block.samples for block in blocks), sum(block.waits for block in blocks)
    return threads == 1 and samples > 0 and waits <= MANY_WAITS * samples


def latency_record(timed: Sequence[TimedBlock], *, warmup_runs: int) -> LatencyRecord:
    """Summarize blocks; there must be one at least."""
    raw = [sample for block in timed for sample in block.samples_ms]
    low, high = median_ci([block.samples_ms for block in timed])
    p50 = percentile(raw, 50)
    return LatencyRecord(
        p50=p50,
        p90=percentile(raw, 90),
        p99=percentile(raw, 99),
        mean=sum(raw) / len(raw),
        ci_low=min(low, p50),
        ci_high=max(high, p50),
        samples=len(raw),
        raw_ms=tuple(raw),
        raw_cpu_ms=tuple(sample for block in timed for sample in block.cpu_ms),
        warmup_runs=warmup_runs,
        blocks=tuple(block.block for block in timed),
        warning=_warning(len(raw)),
    )


def _warning(samples: int) -> str | None:
    if samples >= HONEST_P99:
        return None
    return f"p99 stands on {samples} samples only; {HONEST_P99} are needed: raise --duration or --runs"
