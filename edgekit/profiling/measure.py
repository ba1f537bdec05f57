"""Profile a bundle on a device: several fresh processes, each started cold, checked, and timed in blocks.

Several, because each process has a memory layout of its own, and because a cold start is measured once a process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from edgekit.bundles import Bundle, read_bundle
from edgekit.devices import Device, GoldenCheck, RunnerSession
from edgekit.profiling.blocks import TimedBlock, latency_record, time_block, warm_up
from edgekit.profiling.counted import count, run_context
from edgekit.profiling.identity import golden_figures, identity
from edgekit.profiling.memory import PhaseMemory
from edgekit.profiling.names import source_operators
from edgekit.profiling.predicted import check_runs_here
from edgekit.profiling.record import Measurement, MemoryRecord, OperatorTime, Start
from edgekit.progress import Advance

PROCESSES = 5
DURATION_S = 8.0
WARMUP_RUNS = 10
MIN_BLOCKS = 3
_OPERATOR_BUDGET_MS = 1500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured: ``runs`` timed inferences where given, else for ``duration_s``."""

    duration_s: float = DURATION_S
    runs: int | None = None
    processes: int = PROCESSES
    by_operator: bool = False
    """Also where it takes minutes: on an emulated device, which counts instead of timing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Warm:
    """What a running process tells beside its times."""

    start_ms: float
    operators: tuple[OperatorTime, ...]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one process contributed; ``memory`` and ``warm`` come from the first."""

    start: Start
    blocks: list[TimedBlock]
    memory: MemoryRecord | None
    peak: int
    context: dict[str, Any]
    golden: GoldenCheck | None
    warm: _Warm | None


def profile(
    bundle: Bundle | Path,
    device: Device,
    *,
    threads: int = 1,
    extent: Extent | None = None,
    advance: Advance | None = None,
) -> Measurement:
    """Measure the bundle (folder or zip) on ``device``. DeviceError where it fails or answers wrongly.

    On an emulated device instructions are counted, and nothing is timed.
    """
    if isinstance(bundle, Path):
        bundle = read_bundle(bundle)
    check_runs_here(bundle)
    if device.kind == "emulated":
        asked = extent or Extent()
        return count(
            bundle, device, threads=threads, runs=asked.runs, by_operator=asked.by_operator, advance=advance
        )
    taken, began = datetime.now(UTC), time.perf_counter()
    shares, parts = _shares(extent or Extent()), list[_Part]()
    for process, share in enumerate(shares):
        if advance:
            advance(process, len(shares), f"{bundle.path.name} on {device.name}")
        parts.append(_measure_process(bundle.folder, device, threads, share, process))
    return _measurement(bundle, device, parts, taken, time.perf_counter() - began)


def _measurement(
    bundle: Bundle, device: Device, parts: Sequence[_Part], taken: datetime, duration_s: float
) -> Measurement:
    first = parts[0]
    assert first.memory is not None  # the first process always brings both
    assert first.warm is not None
    others = [part.peak for part in parts[1:]]
    return Measurement(
        **identity(bundle, device.name, device.kind),
        latency_ms=latency_record(
            [block for part in parts for block in part.blocks], warmup_runs=WARMUP_RUNS
        ),
        cold_start_ms=median(part.start.wall_ms for part in parts),
        warm_start_ms=first.warm.start_ms,
        load_ms=median(part.start.load_ms for part in parts),
        memory_bytes=first.memory.model_copy(update={"kernel_peak": int(median(others)) if others else None}),
        operators=source_operators(bundle, first.warm.operators),
        operators_method=first.warm.method,
        starts=tuple(part.start for part in parts),
        **golden_figures(first.golden),
        context=run_context(first.context),
        duration_s=duration_s,
        taken_utc=taken.isoformat(timespec="seconds"),
    )


def cold_start(session: RunnerSession, memory: PhaseMemory | None = None) -> Start:
    """Take a session that was just started to its first answer."""
    with _phase(memory, "load"):
        loaded = session.load()
    with _phase(memory, "first"):
        first = session.timed_runs(1)
    wall_ms = (time.perf_counter() - session.process.started) * 1000
    if session.process.pid is None:  # elsewhere: the way there is no part of a start
        wall_ms = first.age_ms or wall_ms
    # checking hashes and the golden pair is the runner's own care; an application does not repeat it
    checks_ms = loaded["check_ms"] + first.check_ms
    return Start(
        wall_ms=wall_ms - checks_ms,
        cpu_ms=first.process_cpu_ms - checks_ms,
        load_ms=loaded["load_ms"],
    )


def memory_by_phase(session: RunnerSession, runs: int) -> MemoryRecord:
    """Take a session that was just started to its first answer and through ``runs`` more."""
    memory = PhaseMemory(session)
    cold_start(session, memory)
    with memory.phase("steady"):
        session.run(runs)
    return memory.record()


def time_blocks(session: RunnerSession, size: int, share: Extent, process: int) -> list[TimedBlock]:
    """Blocks of ``size`` inferences: as many as ``share.runs`` asks for, else until its time is up."""
    timed: list[TimedBlock] = []
    deadline = time.perf_counter() + share.duration_s
    left = share.runs
    while left or (left is None and (len(timed) < MIN_BLOCKS or time.perf_counter() < deadline)):
        runs = size if left is None else min(size, left)
        timed.append(time_block(session, runs, process=process))
        left = None if left is None else left - runs
    return timed


def _measure_process(folder: Path, device: Device, threads: int, share: Extent, process: int) -> _Part:
    # the first resets the kernel's peak for each phase; in the others it covers everything
    with device.start(folder, threads=threads, keep_peaks=process > 0) as session:
        memory = PhaseMemory(session) if process == 0 else None
        start = cold_start(session, memory)
        golden = session.golden() if session.has_golden else None
        with _phase(memory, "steady"):
            size = warm_up(session, runs=WARMUP_RUNS)
        record = memory.record() if memory else None
        peak = int(session.memory()["peak"])
        blocks = time_blocks(session, size, share, process)
        return _Part(
            start=start,
            blocks=blocks,
            memory=record,
            peak=peak,
            context=session.ready,
            golden=golden,
            warm=_warm(session, blocks) if process == 0 else None,
        )


def _warm(session: RunnerSession, blocks: Sequence[TimedBlock]) -> _Warm:
    """What is asked at the end, since it leaves memory behind."""
    p50 = median(block.block.p50 for block in blocks)
    operators, method = session.operators(max(3, min(50, round(_OPERATOR_BUDGET_MS / p50))))
    return _Warm(
        start_ms=median(session.second_session() for _ in range(3)),
        operators=tuple(OperatorTime(**operator) for operator in operators),
        method=method,
    )


def _phase(memory: PhaseMemory | None, name: str) -> AbstractContextManager[None]:
    return memory.phase(name) if memory else nullcontext()


def _shares(extent: Extent) -> list[Extent]:
    """The part of the measurement that each process takes."""
    if extent.runs is None:
        count = extent.processes
        return [Extent(duration_s=extent.duration_s / count, processes=1)] * count
    count = max(1, min(extent.processes, extent.runs))
    runs = [extent.runs // count + (index < extent.runs % count) for index in range(count)]
    return [Extent(runs=part, processes=1) for part in runs]
