"""Profile a bundle on an emulated device: answers, memory and instructions. Times there mean nothing and are not kept.

One process is enough: neither the guest's memory nor its instructions depend on what else the machine does.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from edgekit.bundles import Bundle
from edgekit.devices import Device, RunnerSession
from edgekit.devices.emulated import EmulatedDevice
from edgekit.host.arm_parts import core_name
from edgekit.profiling.identity import golden_figures, identity
from edgekit.profiling.memory import PhaseMemory
from edgekit.profiling.names import source_operators
from edgekit.profiling.record import Instructions, Measurement, OperatorCount, OperatorTime, RunContext
from edgekit.progress import Advance

RUNS = 3
"""Counted inferences. Under qemu-user they differ by less than 0.01 %; a guest's kernel adds a few parts in a thousand,
and the fewest is the artifact's."""
_STEPS = 4
_MISSES, _WRITTEN = "_misses", "_written"
_NOT_TIMED = "an emulator's seconds say nothing of the device"
_SEVERAL_THREADS = "counted on one thread only: threads that wait for work spin, which is instructions, too"


def count(
    bundle: Bundle,
    device: Device,
    *,
    threads: int,
    runs: int | None = None,
    by_operator: bool = False,
    advance: Advance | None = None,
) -> Measurement:
    """Load, check the golden pair, and count ``runs`` inferences; ``by_operator``, where the device can, as well.

    DeviceError where it fails, does not fit or answers wrongly.
    """
    taken, began = datetime.now(UTC), time.perf_counter()

    def say(done: int, doing: str) -> None:
        if advance:
            advance(done, _STEPS, f"{bundle.path.name} on {device.name}: {doing}")

    say(0, "starting")
    with started(bundle, device, threads) as session:
        memory = PhaseMemory(session)
        say(1, "loading and first answer")
        session.load()
        session.run(1)
        golden = session.golden() if session.has_golden else None
        if golden is None:
            session.run(1)  # a second inference, too: from then on memory is steady
        say(2, "counting")
        regions = session.count(runs or RUNS) if threads == 1 else []
        record, counted = memory.record(), instructions(regions)
        if by_operator and counted and isinstance(device, EmulatedDevice):
            say(3, "counting by operator")
            counted = counted.model_copy(update=_operators(bundle, session))
        return Measurement(
            **identity(bundle, device.name, device.kind),
            latency_ms=None,
            cold_start_ms=None,
            warm_start_ms=None,
            load_ms=None,
            memory_bytes=record,
            instructions=counted,
            why_no_instructions="" if regions else why_none(device, threads),
            operators=(),
            operators_method=_NOT_TIMED,
            **golden_figures(golden),
            # how busy and how warm this machine is has no part in it
            context=run_context(
                {**session.ready, "load_average_1m": None, "temperature_c": None, "governor": None}
            ),
            duration_s=time.perf_counter() - began,
            taken_utc=taken.isoformat(timespec="seconds"),
        )


def run_context(ready: Mapping[str, Any]) -> RunContext:
    """The conditions that a runner tells, with the core by its name."""
    return RunContext(**{**ready, "cpu": core_name(ready["cpu"])})


def instructions(regions: Sequence[Mapping[str, int]]) -> Instructions | None:
    """The record of what was counted of several inferences; None of none."""
    if not regions:
        return None
    # the first finds the simulated caches empty
    least = min(regions[1:] or regions, key=lambda region: region["total"])
    return Instructions(
        total=least["total"],
        samples=tuple(region["total"] for region in regions),
        by_class={
            name: number
            for name, number in least.items()
            if name != "total" and not name.endswith((_MISSES, _WRITTEN))
        },
        cache_misses=_by_level(least, _MISSES),
        written_misses=_by_level(least, _WRITTEN),
    )


def _by_level(region: Mapping[str, int], kind: str) -> dict[str, int]:
    return {name.removesuffix(kind): number for name, number in region.items() if name.endswith(kind)}


def _operators(bundle: Bundle, session: RunnerSession) -> dict[str, Any]:
    """What the runtime's profiler times on a clock of instructions: one is a nanosecond."""
    found, how = session.operators(1)
    named = source_operators(bundle, [OperatorTime(**operator) for operator in found])
    return {
        "operators": tuple(
            OperatorCount(name=each.name, op=each.op, instructions=round(each.ms * 1e6)) for each in named
        ),
        "operators_method": f"{how}, on a clock of instructions",
    }


def started(bundle: Bundle, device: Device, threads: int) -> RunnerSession:
    """A session that counts where the device can."""
    if isinstance(device, EmulatedDevice):
        return device.start(bundle.folder, threads=threads, counting=True)
    return device.start(bundle.folder, threads=threads)


def why_none(device: Device, threads: int) -> str:
    """Why nothing was counted."""
    if threads > 1:
        return _SEVERAL_THREADS
    return device.why_no_counts if isinstance(device, EmulatedDevice) else "nothing counts them there"
