"""Profile a bundle on an emulated device: what it counts and what it holds, and no time at all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from edgekit.bundles import Bundle
from edgekit.devices import Device
from edgekit.errors import EdgekitError
from edgekit.host.arm_parts import core_name
from edgekit.profiling.memory import PhaseMemory
from edgekit.profiling.record import Measurement, RunContext
from edgekit.progress import Advance

WARMUP_RUNS = 2
COUNTED_RUNS = 5
"""Counts differ by what the guest's kernel does in between, a few parts in a thousand; the fewest is the artifact's."""


def count(bundle: Bundle, device: Device, *, threads: int = 1, advance: Advance | None = None) -> Measurement:
    """One process: load, check, warm up, count. DeviceError where it fails, does not fit or answers wrongly."""
    if threads != 1:
        raise EdgekitError(
            f"{device.name}: counts instructions of one thread: several wait for each other, and waiting counts too. "
            "Use --threads 1"
        )
    taken, began = datetime.now(UTC), time.perf_counter()
    manifest = bundle.manifest
    if advance:
        advance(0, 1, f"{bundle.path.name} on {device.name}")
    with device.start(bundle.folder, threads=threads) as session:
        memory = PhaseMemory(session)
        session.load()
        session.timed_runs(1)
        error = session.golden().max_relative_error if session.has_golden else None
        counted = session.timed_runs(COUNTED_RUNS, warmup=WARMUP_RUNS).instructions
        return Measurement(
            bundle=bundle.path.name,
            bundle_sha256=bundle.sha256,
            model=manifest.model.name,
            target=manifest.target,
            precision=manifest.artifact.precision,
            converter=manifest.converter,
            device=device.name,
            kind=device.kind,
            latency_ms=None,
            cold_start_ms=None,
            warm_start_ms=None,
            load_ms=None,
            memory_bytes=memory.record(),
            instructions=min(counted) if counted else None,
            operators=(),
            operators_method="an emulated device has no times",
            golden_error=error,
            context=run_context(session.ready),
            duration_s=time.perf_counter() - began,
            taken_utc=taken.isoformat(timespec="seconds"),
        )


def run_context(ready: Mapping[str, Any]) -> RunContext:
    """The conditions that a runner tells, with the core by its name."""
    return RunContext(**{**ready, "cpu": core_name(ready["cpu"])})
