"""What the engine and a converter's worker say to each other: one JSON file in, one JSON file out.

Standard library only, and imported by workers under ``TYPE_CHECKING`` alone: edgekit is not installed in an
isolated environment.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class TensorMap(TypedDict):
    """One input or output of a file, and what it is in the source model."""

    name: str
    """Its name in the file."""
    source: str
    """Its name in the source model."""
    transpose: list[int] | None
    """Axes that take the *source* layout to the file's: ``tensor = source.transpose(axes)``."""
    dtype: str
    """dtype of the file's tensor; runners cast the source's values to it (inputs) and back (outputs)."""


class IoMap(TypedDict):
    inputs: list[TensorMap]
    outputs: list[TensorMap]


class ConversionRequest(TypedDict):
    """What a worker gets. Paths are absolute; ``out_dir`` exists and is empty."""

    source: str
    """The file in the format the converter accepts; static shapes, opset >= 17 where it is ONNX.

    edgekit's QDQ graph for variants ``quantized_by = "edgekit"``, the float model for all others.
    """
    io: IoMap | None
    """What the inputs and outputs of ``source`` are in the source model; None where they are the same.

    Set for the second of two converters; its reply maps to the source model again, not to ``source``.
    """
    out_dir: str
    precision: str
    options: dict[str, str | int | float | bool]
    """The chosen variant's options; for the last converter the ``build_options`` of the target's runtime, too; for
    int8 also ``int8_activations`` (uint8, int8, tiles) and ``int8_weight_bits`` (7, 8) of the target's runtime, and the
    variant's ``int8_pairs`` (all, read)."""
    calibration: str | None
    """Folder of ``00000.npz``… one sample each: *source model's* input name -> array with batch 1."""
    task: str
    """The contract's task; ``text…`` and ``sentence…`` mark transformers for some tools."""
    threads: int
    ranges: NotRequired[dict[str, tuple[float, float]]]
    """For variants that take the grid: smallest and largest value of each activation, by its name in ``source``."""
    in_float: NotRequired[list[str]]
    """For variants that take the grid: operators of ``source`` that stay in float, by the first tensor they make."""
    wide: NotRequired[list[str]]
    """The same: operators whose products and sums compute in 16 bits, where a target has no floats."""
    progress: NotRequired[str]
    """A file whose one line, ``0.25 what is under way``, a long-running worker may keep up to date."""


class ToolRun(TypedDict):
    """One tool a worker ran, for the manifest."""

    tool: str
    version: str
    arguments: dict[str, str | int | float | bool | None]


class ReferenceReply(TypedDict):
    """A file beside the artifact that answers as it does, on any machine: what the artifact is verified by."""

    artifact: str
    format: str
    runtime: str
    runtime_options: dict[str, str]
    io: IoMap


class CpuOperatorReply(TypedDict):
    """See ``conversion.prediction.CpuOperator``."""

    name: str
    op: str
    reason: str
    macs: int
    bytes_moved: int


class OperatorCyclesReply(TypedDict):
    name: str
    op: str
    cycles: int


class PredictionReply(TypedDict):
    """What the compiler foretells of one inference; see ``conversion.prediction.Prediction``."""

    tool: str
    version: str
    accelerator: str
    system_config: str
    memory_mode: str
    clock_hz: int
    cycles: int
    latency_ms: float
    sram_bytes: int
    flash_bytes: int
    dram_bytes: int
    cpu_arena_bytes: int | None
    macs: int
    npu_macs: int
    npu_operators: int
    cpu_operators: list[CpuOperatorReply]
    operators: list[OperatorCyclesReply]


class ConversionReply(TypedDict):
    """What a worker answers. Names are relative to ``out_dir``."""

    artifact: str
    """The file the runtime opens."""
    files: list[str]
    """Every file of the artifact, ``artifact`` included."""
    io: IoMap
    tools: list[ToolRun]
    notes: list[str]
    """What a user should know: operators left in float, nothing quantized, fallbacks."""
    source_nodes: NotRequired[dict[str, str]]
    """Artifact operator name -> source node name, where the tool renames."""
    source_tensors: NotRequired[dict[str, str]]
    """Artifact tensor -> source tensor that holds the same values, where the tool renames."""
    reference: NotRequired[ReferenceReply]
    """Only where no machine but the target's own chip can run the artifact."""
    prediction: NotRequired[PredictionReply]
