"""What a target, a profile and a converter file may say. One class a table; units stand in the key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from edgekit.strict import Strict
from edgekit.vocabulary import (
    FLOAT_PRECISIONS,
    Arch,
    ArtifactFormat,
    IntegerSums,
    IsaFeature,
    Precision,
    PredictedRuntime,
    RuntimeId,
)

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Source(Strict):
    """Where a fact stands: a datasheet, a vendor's page, a published measurement's system description."""

    facts: tuple[str, ...]
    """The keys this source vouches for, e.g. ``cpu.clusters.0.clock_hz``: a table stands for all it holds, and
    ``*`` for any one key or index."""
    title: str
    where: str
    """Page, path or section, with repository and commit where there is one."""
    basis: Literal[
        "datasheet", "vendor-page", "architecture-manual", "device-tree", "measured-system", "emulated",
        "third-party", "derived", "detected", "estimate",
    ]  # fmt: skip
    """``third-party``: a reference work or the press; ``derived``: computed from facts of the same file."""


# --- targets/<id>.toml -------------------------------------------------------------------------------


class TargetMemory(Strict):
    ram_bytes: PositiveInt
    usable_share: PositiveFloat = 0.75
    """Share of the RAM that one application may count on."""
    sram_bytes: PositiveInt | None = None
    """What an NPU works in, where that is no part of ``ram_bytes``."""
    flash_bytes: PositiveInt | None = None
    """Where weights are read from while the model runs; None where they are loaded into RAM."""

    @property
    def usable_bytes(self) -> int:
        """Of the RAM, what one application may count on."""
        return int(self.ram_bytes * self.usable_share)


class TargetRuntime(Strict):
    """One runtime on the target and what it runs there."""

    id: RuntimeId
    formats: tuple[ArtifactFormat, ...]
    precisions: tuple[Precision, ...]
    status: Literal["available", "waiting"] = "available"
    waits_for: str | None = None
    """Why nothing can be built for this runtime yet, and what that waits for."""
    int8_activations: Literal["uint8", "int8", "tiles"] = "uint8"
    """The activation type whose int8 kernels are fast and exact on this target; tiles: uint8, but with zero points of zero
    for what convolutions on matrix tiles read (:mod:`edgekit.quantization.tiles`)."""
    int8_weight_bits: Literal[7, 8] = 8
    """7 where sums of two 8-bit products saturate in 16 bits: x86 without VNNI."""
    integer_sums: IntegerSums | None = None
    """Only where the instruction set does not tell (``catalog.integer_sums`` derives it from there): an NPU's."""
    arch: Arch | None = None
    """In a detected target: this entry holds only on machines of that architecture."""
    build_options: dict[str, str] = Field(default_factory=dict)
    """What the compiler for this runtime must be told of the hardware: it goes to the last converter of a chain."""
    note: str | None = None

    @model_validator(mode="after")
    def _waiting_says_why(self) -> TargetRuntime:
        if (self.status == "waiting") != (self.waits_for is not None):
            raise ValueError("'waits_for' is needed when status is 'waiting', and only then")
        return self


class Target(Strict):
    """What to build for."""

    schema_version: Literal[1] = Field(alias="schema")
    id: Id
    name: str
    summary: str
    arch: Arch
    os: Literal["linux", "android", "harmonyos", "bare-metal"]
    isa_features: tuple[IsaFeature, ...]
    profile: Id
    threads: PositiveInt
    """Threads an application would give to inference there."""
    memory: TargetMemory
    runtimes: tuple[TargetRuntime, ...]
    sources: tuple[Source, ...]
    detected: bool = False
    """True for ``host``: arch, ISA features, memory and threads are read off this machine on loading."""

    @property
    def foretold(self) -> bool:
        """Whether a compiler that is told of the hardware foretells what artifacts take there."""
        return any(runtime.build_options for runtime in self.runtimes)


# --- profiles/<id>.toml ------------------------------------------------------------------------------


class CpuCluster(Strict):
    core: str
    cores: PositiveInt
    clock_hz: PositiveInt | None = None
    """Highest clock; None only where a detected machine does not tell."""
    l1d_bytes: PositiveInt | None = None
    l2_bytes: PositiveInt | None = None
    l2_shared: bool = False
    """True where the cores of the cluster share one L2 of ``l2_bytes``."""


class Cpu(Strict):
    clusters: tuple[CpuCluster, ...] = Field(min_length=1)
    isa_features: tuple[IsaFeature, ...]
    l3_bytes: PositiveInt | None = None


class MemorySystem(Strict):
    ram_bytes: PositiveInt
    type: str
    transfers_per_s: PositiveInt | None = None
    bus_bits: PositiveInt | None = None
    """Width of all channels together."""
    bandwidth_bytes_per_s: PositiveInt | None = None
    """Theoretical peak: transfer rate times bus width."""

    @model_validator(mode="after")
    def _bandwidth_is_rate_times_width(self) -> MemorySystem:
        if self.bandwidth_bytes_per_s and self.transfers_per_s and self.bus_bits:
            expected = self.transfers_per_s * self.bus_bits // 8
            if self.bandwidth_bytes_per_s != expected:
                raise ValueError(f"bandwidth_bytes_per_s is transfers_per_s * bus_bits / 8 = {expected}")
        return self


class Accelerator(Strict):
    kind: Literal["npu", "gpu", "dsp"]
    name: str
    peak_int8_ops_per_s: PositiveInt | None = None
    peak_fp16_ops_per_s: PositiveInt | None = None


class SpeedError(Strict):
    """How far predictions were from measurements, in percent, each family predicted from the others alone."""

    median: PositiveFloat
    p90: PositiveFloat


class FittedSpeed(Strict):
    """Constants fitted to published or own latencies of one runtime, version and number of threads."""

    runtime: PredictedRuntime
    version: str
    threads: PositiveInt | None = None
    """None where the source of the measurements does not state it."""
    measurements: PositiveInt
    families: PositiveInt
    """Families of models among them."""
    error_pct: SpeedError
    interval_factor: PositiveFloat = Field(ge=1)
    """Four of five latencies lie between the prediction divided and multiplied by it."""
    latency_ms: tuple[PositiveFloat, PositiveFloat]
    """Of the fastest and the slowest model measured."""
    constants_ps: dict[str, PositiveFloat]
    """Picoseconds that one unit of each term takes; a term that is absent takes none."""


class Speed(FittedSpeed):
    """What predictions from a graph are made with, at one precision."""

    precision: Precision
    covered: tuple[str, ...]
    """The terms that the measured models have any of, and ``dilated``: enough of them have dilated convolutions."""
    transferred_from: Id | None = None
    """The profile of the chip whose measurements these are, brought here by what both chips can do."""


class CountedSpeed(FittedSpeed):
    """What predictions from emulated instructions and cache misses are made with, at every precision."""


class Transfer(Strict):
    """Speeds that are to be taken from another chip of the same architecture, as too little was measured of this one."""

    runtime: PredictedRuntime
    profile: Id
    """The chip that was measured."""
    of_runtime: PredictedRuntime
    """What it was measured with."""


class Profile(Strict):
    """How a hardware performs: the facts a prediction starts from, each with its source."""

    schema_version: Literal[1] = Field(alias="schema")
    id: Id
    name: str
    soc: str
    cpu: Cpu
    memory: MemorySystem
    accelerators: tuple[Accelerator, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    speeds: tuple[Speed, ...] = ()
    counted_speeds: tuple[CountedSpeed, ...] = ()
    sources: tuple[Source, ...] = Field(min_length=1)
    detected: bool = False

    @property
    def arch(self) -> Arch:
        """Whose instructions its features are."""
        features = self.cpu.isa_features
        return "armv8.1-m" if "mve" in features else "aarch64" if "neon" in features else "x86_64"


# --- converters/<id>/converter.toml --------------------------------------------------------------------


class WorkerEnvironment(Strict):
    kind: Literal["core", "isolated"]
    """core: edgekit's own interpreter; isolated: made from ``lock`` on a Python that fits ``python``."""
    imports: tuple[str, ...]
    """Top-level modules that must be importable there."""
    python: str | None = None
    """A version specifier such as ``>=3.12,<3.14``."""
    lock: str | None = None
    """File name of the hash-locked requirements in the converter's folder."""

    @model_validator(mode="after")
    def _isolated_has_lock(self) -> WorkerEnvironment:
        if self.kind == "isolated" and not (self.lock and self.python):
            raise ValueError("an isolated environment needs 'lock' and 'python'")
        return self


class WorkerLimits(Strict):
    timeout_s: PositiveInt
    memory_bytes: PositiveInt


class OperatorRefusal(Strict):
    op: str
    """ONNX operator, ``domain::Op`` outside the default domain."""
    reason: str


class Operators(Strict):
    """What the runtime (or the tool before it) can take, in ONNX operators."""

    supported: tuple[str, ...] | Literal["all"]
    refused: tuple[OperatorRefusal, ...] = ()
    source: str
    """How this list was obtained, with the tool's version."""


class Variant(Strict):
    """One candidate this converter offers for a precision: options handed to its worker."""

    precision: Precision
    name: str = ""
    """Distinguishes several variants of one precision; empty for the only one."""
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    tasks: Literal["any", "vision", "text"] = "any"
    quantized_by: Literal["none", "edgekit", "tool", "source"] = "none"
    """edgekit: the worker gets edgekit's QDQ graph and keeps its scales; tool: it quantizes on its own; source: it
    takes quantized files only, of a converter before it or of the model's author."""
    takes: Literal["qdq", "grid"] = "qdq"
    """How edgekit's quantization reaches it: as a QDQ graph, or as a float model whose weights lie on the integers'
    grid, with the ranges of its activations beside it."""
    needs_calibration: bool = False
    emits: ArtifactFormat | None = None
    """Where it differs from the converter's."""

    @model_validator(mode="after")
    def _integers_are_made_by_somebody(self) -> Variant:
        if (self.precision in FLOAT_PRECISIONS) != (self.quantized_by == "none"):
            raise ValueError("'quantized_by' is needed for int8 and int4 precisions, and only for them")
        if self.quantized_by == "edgekit" and not self.needs_calibration:
            raise ValueError("quantized_by 'edgekit' needs calibration: set needs_calibration = true")
        if self.takes == "grid" and self.quantized_by != "edgekit":
            raise ValueError("takes = 'grid' is about edgekit's quantization: set quantized_by = 'edgekit'")
        return self


class Converter(Strict):
    """What a converter takes and makes."""

    schema_version: Literal[1] = Field(alias="schema")
    id: Id
    name: str
    summary: str
    accepts: ArtifactFormat
    emits: ArtifactFormat
    runtime: RuntimeId | None = None
    """The runtime that runs what it emits; None for a step whose output only feeds another converter."""
    variants: tuple[Variant, ...] = Field(min_length=1)
    runtime_options: dict[str, str] = Field(default_factory=dict)
    """Session settings that its artifacts are verified and must be run with; they go into the manifest."""
    nondeterministic: tuple[str, ...] = ()
    """Steps whose output bytes differ from run to run."""
    environment: WorkerEnvironment
    limits: WorkerLimits
    operators: Operators
    waits_for: str | None = None
    """Why it cannot be built yet; such a converter has no worker."""
