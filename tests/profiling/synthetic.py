"""Measurements as noisy machines give them, from a seed: what they are true of is known."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from edgekit.profiling.blocks import TimedBlock, latency_record
from edgekit.profiling.record import LatencyBlock, Measurement, MemoryRecord, RunContext, Start

Random = np.random.Generator
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How a machine disturbs what runs on it; shares of one."""

    jitter: float = 0.004
    """From one inference to the next."""
    layout: float = 0.003
    """From process to process."""
    day: float = 0.004
    """From one measurement to the next."""
    drift: float = 0.01
    """Slow swing within a measurement."""
    spikes: float = 0.02
    """Share of inferences that an interrupt hits, heavy-tailed."""
    preempted: float = 0.0
    """Share of the processor that neighbours take in a busy stretch."""


QUIET = Machine()
BUSY = Machine(jitter=0.008, layout=0.004, day=0.006, preempted=0.5)


def measurement(
    random: Random,
    machine: Machine,
    *,
    ms: float = 10.0,
    processes: int = 5,
    blocks: int = 12,
    threads: int = 1,
) -> Measurement:
    """One measurement of an artifact that takes ``ms`` undisturbed."""
    today = ms * np.exp(random.normal(0, machine.day))
    phase = random.uniform(0, 2 * np.pi)
    timed = []
    for process in range(processes):
        own = today * np.exp(random.normal(0, machine.layout))
        for block in range(blocks):
            swing = 1 + machine.drift / 2 * np.sin(phase + (process * blocks + block) / 9)
            timed.append(timed_block(random, machine, own * swing, process))
    return _measurement(timed, [_start(random, machine) for _ in range(processes)], random, threads)


def timed_block(random: Random, machine: Machine, ms: float, process: int, *, runs: int = 6) -> TimedBlock:
    """Inferences in a row; a busy block is preempted throughout."""
    cpu = ms * np.exp(random.normal(0, machine.jitter, runs))
    hit = random.random(runs) < machine.spikes
    cpu = cpu + hit * random.pareto(1.5, runs) * ms * 0.1
    busy = machine.preempted and random.random() < 0.8
    # a neighbour lengthens by the clock, and a little by the caches it empties
    cpu = cpu * (1 + np.abs(random.normal(0, 0.02, runs))) if busy else cpu
    wall = cpu / (1 - machine.preempted * random.uniform(0.5, 1)) if busy else cpu
    block = LatencyBlock(
        process=process,
        samples=runs,
        p50=float(np.median(wall)),
        cpu_ms=float(np.median(cpu)),
        others_cores=1.5 if busy else 0.0,
        preemptions=2 * runs if busy else 0,
        waits=0,
        yardstick_ms=0.3 * (1 + random.normal(0, 0.001)),
    )
    return TimedBlock(block, tuple(map(float, wall)), tuple(map(float, cpu)))


def _start(random: Random, machine: Machine) -> Start:
    cpu = 200 * np.exp(random.normal(0, 0.02))
    return Start(wall_ms=cpu / (1 - machine.preempted * random.uniform(0, 1)), cpu_ms=cpu, load_ms=cpu / 10)


def _measurement(timed: list[TimedBlock], starts: list[Start], random: Random, threads: int) -> Measurement:
    peak = int(70e6 * (1 + random.normal(0, 0.001)))
    return Measurement(
        bundle="net.edgekit",
        bundle_sha256="0" * 64,
        model="net",
        target="host",
        precision="fp32",
        converter="onnxruntime",
        device="local",
        kind="measured",
        latency_ms=latency_record(timed, warmup_runs=10),
        cold_start_ms=median(start.wall_ms for start in starts),
        warm_start_ms=20.0,
        load_ms=median(start.load_ms for start in starts),
        memory_bytes=MemoryRecord(
            base=50_000_000,
            load=60_000_000,
            first=peak,
            steady=peak,
            peak=peak,
            kernel_peak=peak,
            method="test",
        ),
        operators=(),
        starts=tuple(starts),
        context=RunContext(
            machine="test",
            cpu="test",
            isa_features=(),
            cores=2,
            threads=threads,
            governor=None,
            load_average_1m=0.0,
            temperature_c=None,
            os="test",
            kernel="test",
            python="3.11",
            runtime="onnxruntime",
            runtime_version="1",
            runtime_options={},
        ),
        duration_s=8.0,
        taken_utc="2026-01-01T00:00:00+00:00",
    )
