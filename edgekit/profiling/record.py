"""The record of one measurement of one bundle on one device, whoever took it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.conversion.prediction import Prediction
from edgekit.strict import Strict
from edgekit.vocabulary import MeasurementKind


class LatencyBlock(Strict):
    """Inferences that were timed in one go. Blocks show drift, and what neighbours took away."""

    process: int
    """Which of the measurement's runner processes, from 0: each has a memory layout of its own."""
    samples: int
    """How many of the raw times, in order, are this block's."""
    p50: float
    cpu_ms: float
    """Processor time of one inference, median of the block, over all threads."""
    others_cores: float = 0.0
    """Cores that everybody else kept busy meanwhile."""
    preemptions: int
    """How often others were given the processor instead."""
    waits: int
    """How often a thread gave the processor up by itself."""
    yardstick_ms: float
    """Processor time of a fixed piece of work just before: differs where the clock does."""


class LatencyRecord(Strict):
    """Wall time of one inference, raw samples kept so that anyone can recompute."""

    p50: float
    p90: float
    p99: float
    mean: float
    ci_low: float
    ci_high: float
    """Confidence interval of p50 at ``confidence``."""
    confidence: float = 0.95
    samples: int
    raw_ms: tuple[float, ...]
    raw_cpu_ms: tuple[float, ...] = ()
    """Processor time of each inference over all threads: on one thread, its time without what others took."""
    warmup_runs: int
    blocks: tuple[LatencyBlock, ...] = ()
    warning: str | None = None
    """What the figures cannot bear, e.g. a p99 of few samples."""


class Start(Strict):
    """A fresh process up to its first answer."""

    wall_ms: float
    cpu_ms: float
    load_ms: float


class MemoryRecord(Strict):
    """Resident memory of the runner's process; each figure is the highest of its phase."""

    base: int
    """Interpreter, numpy and runtime imported, no model yet."""
    load: int
    first: int
    steady: int
    peak: int
    kernel_peak: int | None
    """The kernel's own high-water mark over the whole run."""
    method: str


class OperatorTime(Strict):
    name: str
    """In the source model's names where they are known."""
    op: str
    ms: float


class OperatorCount(Strict):
    """Instructions of one operator in one inference."""

    name: str
    """In the source model's names where they are known."""
    op: str
    instructions: int


class Instructions(Strict):
    """Instructions of one inference on one thread, counted by an emulator: free of noise, and no time."""

    total: int
    """The fewest of ``samples`` after the first, which finds empty caches: whatever comes in between adds."""
    samples: tuple[int, ...]
    by_class: dict[str, int] = Field(default_factory=dict)
    """Of that inference; empty where the instruction set is not told apart."""
    cache_misses: dict[str, int] = Field(default_factory=dict)
    """Of that inference, by level of a simulated data cache of the board's size (least recently used goes, no
    prefetching); empty where the size is not known."""
    written_misses: dict[str, int] = Field(default_factory=dict)
    """Those of ``cache_misses`` that stores made."""
    operators: tuple[OperatorCount, ...] = ()
    """Where they were asked for; in steps of a thousand, with what the runtime's own profiler adds."""
    operators_method: str = ""


class RunContext(Strict):
    machine: str
    arch: str | None = None
    """As the kernel calls it, e.g. ``aarch64``."""
    cpu: str
    isa_features: tuple[str, ...]
    cores: int
    threads: int
    governor: str | None
    load_average_1m: float | None
    temperature_c: float | None
    os: str
    kernel: str
    python: str
    libc: str | None = None
    ram_bytes: int | None = None
    """All memory that the kernel has."""
    runtime: str
    runtime_version: str
    runtime_options: dict[str, str]


class Estimate(Strict):
    """What constants that were fitted to published measurements of the board make of the artifact's graph, or of the
    instructions and cache misses that its runtime takes on an emulated core."""

    level: Literal["graph", "emulation"] = "graph"
    profile: str
    runtime: str
    runtime_version: str
    """Whose constants: the artifact's own runtime, or one with the same kernels; from emulation any."""
    emulated: str = ""
    """The runtime that ran under emulation, with its version."""
    threads: int | None
    """None where what was published does not state them."""
    latency_ms: float
    low_ms: float
    high_ms: float
    """Four of five measurements of models like those calibrated on lie from ``low_ms`` to ``high_ms``."""
    error_median_pct: float
    error_p90_pct: float
    """For families of models that the fit had not seen."""
    outside: tuple[str, ...]
    """Why the graph is unlike what was measured; empty where it is not."""
    ram_bytes: int | None
    """Peak of the runner's process: predicted, or that of the emulated one; None where no rule covers the runtime."""

    @property
    def way(self) -> str:
        """How they were come by, in words."""
        return "from emulation" if self.level == "emulation" else "from the graph"

    @property
    def maker(self) -> str:
        """Whose figures these are."""
        threads = f", {self.threads} thread(s)" if self.threads else ""
        constants = f"{self.runtime} {self.runtime_version} on {self.profile}{threads}"
        return f"{self.emulated} by constants of {constants}" if self.emulated else constants

    @property
    def says(self) -> str:
        """One line for people."""
        whose = f" of {self.runtime}" if self.emulated else ""
        memory = f", peak memory {self.ram_bytes / 1e6:.0f} MB" if self.ram_bytes else ""
        strange = f"; unlike what was measured there: {'; '.join(self.outside)}" if self.outside else ""
        return (
            f"predicted {self.way} for {self.maker}: {self.latency_ms:.3g} ms, four of five in {self.low_ms:.3g} "
            f"to {self.high_ms:.3g} ms (error for unseen families{whose}: median {self.error_median_pct:.0f} %, 90th "
            f"percentile {self.error_p90_pct:.0f} %){memory}{strange}"
        )


class Measurement(Strict):
    schema_version: Literal[1] = Field(default=1, alias="schema")
    bundle: str
    bundle_sha256: str
    model: str
    target: str
    precision: str
    converter: str
    device: str
    kind: MeasurementKind
    latency_ms: LatencyRecord | None
    """None where no clock tells it: an emulated device's time means nothing."""
    prediction: Prediction | None = None
    """By the compiler of the artifact. Only where the kind is predicted; then nothing was run, and no start and no
    memory of a process is known."""
    estimate: Estimate | None = None
    """From the graph, where the same holds, or from emulation: then ``instructions``, memory and answers are those
    of the emulated run."""
    cold_start_ms: float | None = None
    """From starting the process to its first answer, median of ``starts``; files are in the page cache."""
    warm_start_ms: float | None = None
    """Load and first inference of a second session in the running process."""
    load_ms: float | None = None
    memory_bytes: MemoryRecord | None = None
    instructions: Instructions | None = None
    why_no_instructions: str = ""
    """Where an emulated device counted none."""
    operators: tuple[OperatorTime, ...]
    operators_method: str = ""
    """How the operators' times were obtained, or why there are none."""
    starts: tuple[Start, ...] = ()
    golden_error: float | None = None
    """``max|out - golden| / max|golden|`` on this device; None where the bundle has no golden pair."""
    golden_equal_share: float | None = None
    """Of the golden values, those answered bit for bit as on the build host, 0 to 1."""
    golden_max_difference: float | None = None
    """``max|out - golden|``, in the outputs' own units."""
    context: RunContext
    duration_s: float
    taken_utc: str

    @property
    def foretold(self) -> Prediction | Estimate | None:
        """What is predicted, whoever does."""
        return self.prediction or self.estimate
