"""Compare two measurements that were taken at different times.

The machine was not the same then and now, even if it is one machine. Three things are told apart from the artifact:

- neighbours: an inference that is preempted takes longer by the clock, hardly in processor time. Where they were
  busy, on one thread the latter is compared, of the inferences they disturbed least. On more threads the most that
  they can have cost widens the interval.
- the clock: a fixed piece of work, timed in both, widens the interval by what it differs.
- everything else (memory layout, page cache, heat) shows between the processes of a measurement, and between
  measurements by ``RUN_TO_RUN``, which was found by measuring one bundle over and over on a busy machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from edgekit.errors import EdgekitError
from edgekit.profiling.blocks import is_computing
from edgekit.profiling.comparison import Comparison, Metric, MetricName, Unit
from edgekit.profiling.record import LatencyBlock, LatencyRecord, Measurement
from edgekit.profiling.statistics import difference_ci, percentile

RUN_TO_RUN: dict[MetricName, float] = {
    "p50": 0.008,
    "p90": 0.02,
    "p99": 0.03,
    "cold_start": 0.03,
    "memory": 0.005,
    "instructions": 0.0001,
}
"""Standard deviation, relative, between measurements of one bundle minutes apart, disturbance taken out."""
CACHE_SHARE = 0.01
"""Standard deviation between measurements, per logarithm of the slow-down by neighbours: they empty the caches, which
adds to processor time. 28 measurements with 1.7 of 2 cores taken, wall time tripled, scattered by 0.5 to 1.3 %."""
QUIET = 0.02
"""Where neighbours lengthen an inference by less than this share, tails count as they are."""
LEAST_DISTURBED = 10
"""Percentile of a process's inferences that stands for what one takes undisturbed."""
_SAME_CLOCK = 0.005
_UNITS: dict[MetricName, Unit] = {"memory": "bytes", "instructions": "instructions"}


def compare_measurements(a: Measurement, b: Measurement) -> Comparison:
    """``b`` against ``a``. EdgekitError where they cannot be compared at all."""
    if a.kind != b.kind:
        raise EdgekitError(
            f"{a.bundle} is {a.kind}, {b.bundle} is {b.kind}: these are not comparable figures"
        )
    metrics = _foretold(a, b)
    if a.latency_ms and b.latency_ms:
        metrics += _latency(_Timed.of(a, a.latency_ms), _Timed.of(b, b.latency_ms))
    metrics += [*_cold_start(a, b), *_memory(a, b)]
    if a.instructions and b.instructions:
        counts = [[float(count) for count in side.samples] for side in (a.instructions, b.instructions)]
        metrics.append(_metric("instructions", counts[0], counts[1], "counted, one thread", 0.0, 0.0))
    return Comparison(
        a=a.bundle,
        b=b.bundle,
        how="stored",
        device=a.device if a.device == b.device else f"{a.device}, {b.device}",
        kind=a.kind,
        metrics=tuple(metrics),
        notes=tuple(_notes(a, b)),
    )


@dataclass(frozen=True, slots=True)
class _Process:
    """One process of a measurement."""

    samples_ms: list[float]
    cpu_ms: list[float]
    blocks: list[LatencyBlock]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    """The times of a measurement, by process."""

    processes: Sequence[_Process]
    threads: int
    cores: int

    @classmethod
    def of(cls, measurement: Measurement, latency: LatencyRecord) -> _Timed:
        found: dict[int, _Process] = {}
        position = 0
        for block in latency.blocks:
            process = found.setdefault(block.process, _Process([], [], []))
            process.samples_ms.extend(latency.raw_ms[position : position + block.samples])
            process.cpu_ms.extend(latency.raw_cpu_ms[position : position + block.samples])
            process.blocks.append(block)
            position += block.samples
        # a record of another tool: its times count as one process
        processes = list(found.values()) or [_Process(list(latency.raw_ms), [], [])]
        context = measurement.context
        return cls(processes=processes, threads=context.threads, cores=context.cores)

    @property
    def blocks(self) -> list[LatencyBlock]:
        return [block for process in self.processes for block in process.blocks]

    @property
    def computing(self) -> bool:
        """Does processor time say what an inference takes?"""
        return is_computing(self.blocks, self.threads)

    @property
    def wall_ms(self) -> float:
        return median(sample for process in self.processes for sample in process.samples_ms)

    @property
    def yardstick_ms(self) -> float | None:
        return median(block.yardstick_ms for block in self.blocks) if self.blocks else None

    def undisturbed(self) -> list[float]:
        """Of each process what its least disturbed inferences took, where processor time tells: noise only adds."""
        return [percentile(process.cpu_ms, LEAST_DISTURBED) for process in self.processes]

    def percentiles(self, share: float) -> list[float]:
        """By the clock, of each process."""
        return [percentile(process.samples_ms, share) for process in self.processes]

    def worst_disturbance(self) -> float:
        """Logarithm of the most by which neighbours can have lengthened the inferences.

        On more cores than it has threads an artifact yields nothing; else it shares what there is.
        """
        if not self.blocks:
            return 0.0
        if self.computing:
            return math.log(max(1.0, self.wall_ms / median(self.undisturbed())))
        others = median(block.others_cores for block in self.blocks)
        return math.log(max(1.0, (self.threads + others) / self.cores))


def _latency(a: _Timed, b: _Timed) -> list[Metric]:
    return [_p50(a, b), _tail("p90", 90, a, b), _tail("p99", 99, a, b)]


def _p50(a: _Timed, b: _Timed) -> Metric:
    clock = _clock_difference(a, b)
    disturbance = max(a.worst_disturbance(), b.worst_disturbance())
    if disturbance > math.log1p(QUIET) and a.computing and b.computing:
        floor = math.hypot(RUN_TO_RUN["p50"], CACHE_SHARE * disturbance)
        basis = "processor time of the least disturbed tenth"
        return _metric("p50", a.undisturbed(), b.undisturbed(), basis, clock, clock, floor)
    lower, higher = clock + _unknown(b), clock + _unknown(a)
    return _metric("p50", a.percentiles(50), b.percentiles(50), "wall time", lower, higher)


def _unknown(timed: _Timed) -> float:
    """What neighbours may have added to wall times; too little to matter counts as nothing."""
    disturbance = timed.worst_disturbance()
    return disturbance if disturbance > math.log1p(QUIET) else 0.0


def _tail(name: MetricName, share: float, a: _Timed, b: _Timed) -> Metric:
    """Preemption makes the tails: undisturbed they lie between the median and what was measured."""
    clock = _clock_difference(a, b)
    lower, higher = clock + _tail_disturbance(b, share), clock + _tail_disturbance(a, share)
    return _metric(name, a.percentiles(share), b.percentiles(share), "wall time", lower, higher)


def _tail_disturbance(timed: _Timed, share: float) -> float:
    unknown = _unknown(timed)
    if not unknown:
        return 0.0
    undisturbed = median(timed.undisturbed()) if timed.computing else timed.wall_ms
    return unknown + math.log(max(1.0, median(timed.percentiles(share)) / undisturbed))


def _clock_difference(a: _Timed, b: _Timed) -> float:
    if a.yardstick_ms is None or b.yardstick_ms is None:
        return 0.0
    difference = abs(math.log(a.yardstick_ms / b.yardstick_ms))
    return difference if difference > _SAME_CLOCK else 0.0


def _foretold(a: Measurement, b: Measurement) -> list[Metric]:
    """What compilers or graphs foretell: a model without noise, so that the interval is the ratio itself."""
    first, second = a.foretold, b.foretold
    if first is None or second is None:
        return []
    figures: list[tuple[MetricName, Literal["ms", "bytes"], float, float]] = [
        ("p50", "ms", first.latency_ms, second.latency_ms)
    ]
    # where a process ran under emulation, its phases are compared instead
    if first.ram_bytes and second.ram_bytes and not (a.memory_bytes and b.memory_bytes):
        figures.append(("memory", "bytes", float(first.ram_bytes), float(second.ram_bytes)))
    basis = " and ".join(dict.fromkeys((first.maker, second.maker)))
    return [
        Metric(name=name, unit=unit, a=one, b=other, ratio=ratio, ci_low=ratio, ci_high=ratio, basis=basis)
        for name, unit, one, other in figures
        for ratio in [other / one]
    ]


def _cold_start(a: Measurement, b: Measurement) -> list[Metric]:
    first, second = _walls(a), _walls(b)
    if not first or not second:
        return []
    return [_metric("cold_start", first, second, "wall time", _start_disturbance(b), _start_disturbance(a))]


def _walls(measurement: Measurement) -> list[float]:
    known = [] if measurement.cold_start_ms is None else [measurement.cold_start_ms]
    return [start.wall_ms for start in measurement.starts] or known


def _start_disturbance(measurement: Measurement) -> float:
    """Starting is computing: what the clock shows beyond processor time may be the neighbours'."""
    ratios = [max(1.0, start.wall_ms / max(start.cpu_ms, 1.0)) for start in measurement.starts]
    return math.log(median(ratios)) if ratios else 0.0


def _memory(a: Measurement, b: Measurement) -> list[Metric]:
    if a.memory_bytes is None or b.memory_bytes is None:
        return []
    first, second = [float(a.memory_bytes.peak)], [float(b.memory_bytes.peak)]
    return [_metric("memory", first, second, a.memory_bytes.method, 0.0, 0.0)]


def _metric(
    name: MetricName,
    a: Sequence[float],
    b: Sequence[float],
    basis: str,
    lower: float,
    higher: float,
    floor: float | None = None,
) -> Metric:
    """``lower`` and ``higher`` widen the interval downwards and upwards, as logarithms."""
    ratio, low, high = difference_ci(a, b, floor or RUN_TO_RUN[name])
    return Metric(
        name=name,
        unit=_UNITS.get(name, "ms"),
        a=median(a),
        b=median(b),
        ratio=ratio,
        ci_low=low * math.exp(-lower),
        ci_high=high * math.exp(higher),
        basis=basis,
    )


def _notes(a: Measurement, b: Measurement) -> list[str]:
    notes = [note for side in (a, b) for note in _disturbed(side)]
    pairs: list[tuple[str, Callable[[Measurement], object]]] = [
        ("devices", lambda side: side.device),
        ("processors", lambda side: side.context.cpu),
        ("threads", lambda side: side.context.threads),
        ("runtimes", lambda side: f"{side.context.runtime} {side.context.runtime_version}"),
        ("runtime options", lambda side: side.context.runtime_options),
    ]
    for what, of in pairs:
        if of(a) != of(b):
            notes.append(f"different {what}: {of(a)} and {of(b)}")
    return notes


def _disturbed(measurement: Measurement) -> list[str]:
    latency = measurement.latency_ms
    if latency is None or not latency.blocks:
        return []
    others = median(block.others_cores for block in latency.blocks)
    if others < 0.1:
        return []
    spent = median(block.cpu_ms for block in latency.blocks)
    return [
        f"{measurement.bundle}, {measurement.taken_utc}: others kept {others:.1f} cores busy; an inference took "
        f"{latency.p50:.2f} ms by the clock and {spent:.2f} ms of processor time"
    ]
