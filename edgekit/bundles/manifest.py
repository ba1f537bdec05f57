"""What ``manifest.json`` of a bundle says. The runner reads the same file as plain JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.catalog_schema import Sha256
from edgekit.conversion.prediction import Prediction
from edgekit.strict import Strict
from edgekit.vocabulary import ArtifactFormat, DType, Precision, RuntimeId, Task


class FileEntry(Strict):
    path: str
    sha256: Sha256
    size_bytes: int


class TensorEntry(Strict):
    """One input or output of the artifact; see ``conversion.protocol.TensorMap``."""

    name: str
    source: str
    transpose: tuple[int, ...] | None
    dtype: DType


class Io(Strict):
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]


class Artifact(Strict):
    path: str
    """The file the runtime opens, relative to the bundle."""
    format: ArtifactFormat
    runtime: RuntimeId
    runtime_options: dict[str, str] = Field(default_factory=dict)
    """Session settings the artifact was verified with, e.g. OpenVINO's INFERENCE_PRECISION_HINT."""
    precision: Precision
    io: Io
    source_nodes: dict[str, str] = Field(default_factory=dict)
    """Artifact operator name -> source node name, where the converter renamed."""


class SourceModel(Strict):
    name: str
    sha256: Sha256
    size_bytes: int
    licence: str | None
    origin: str | None
    shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Input shapes fixed by the user."""


class Step(Strict):
    """One step from parent file to child file."""

    converter: str
    variant: str
    tool: str
    version: str
    arguments: dict[str, str | int | float | bool | None]
    parent_sha256: Sha256
    child_sha256: Sha256
    deterministic: bool


class Calibration(Strict):
    source: str
    """Name of the folder or file, without its path."""
    samples: int
    sha256: Sha256
    """Over the encoded input tensors, in order."""
    synthetic: bool = False
    """Made up, because there were no data: the artifact counts as uncalibrated."""

    @property
    def says(self) -> str:
        """One line for people."""
        if self.synthetic:
            return (
                f"uncalibrated: ranges come from {self.samples} synthetic inputs, not from data;"
                " check the answers on your own, or convert again with --calib"
            )
        return f"calibrated on {self.samples} samples of {self.source}"


class Golden(Strict):
    """A raw sample, the input tensors the contract makes of it, and what this artifact answered."""

    sample: str
    """The raw sample's file in the bundle."""
    tensors: str
    """.npz of ``in:<name>`` and ``out:<name>`` arrays, in the source model's names and layouts."""
    max_relative_error: float
    """Largest allowed ``max|out - golden| / max|golden|`` on the same kind of machine."""
    prediction: str
    """The decoded answer as canonical JSON."""


class Fidelity(Strict):
    """Artifact against source on the user's samples."""

    samples: int
    sqnr_db: float
    """10 log10(sum source^2 / sum (source - artifact)^2), first output of all samples; at most 200."""
    cosine: float
    """Smallest cosine over the samples."""
    agreement: float
    """Share of samples on which the decoded answers agree."""
    hysteresis_agreement: float | None = None
    """Of boxes: the same by two thresholds, so that a score that crosses one is no other answer
    (:mod:`edgekit.contracts.hysteresis`)."""
    data: str


class Accuracy(Strict):
    metric: str
    source: float
    artifact: float
    samples: int
    data: str


class Timing(Strict):
    """Interleaved with the source model in one run on one machine: the ratio is what carries over."""

    p50_ms: float
    source_p50_ms: float
    ratio: float
    ratio_ci_low: float
    ratio_ci_high: float
    rounds: int
    threads: int
    machine: str
    kind: Literal["measured", "emulated"] = "measured"


class IsaCheck(Strict):
    """The golden pair on an emulated processor with the target's instruction set."""

    device: str
    cpu: str
    runtime_version: str
    equal_share: float
    """Of the golden values, those that came out bit for bit as on the build host, 0 to 1."""
    max_difference: float
    """``max|out - golden|``, in the outputs' own units."""
    relative_error: float
    """``max|out - golden| / max|golden|``."""


class Dropped(Strict):
    target: str
    converter: str
    precision: str
    variant: str = ""
    reason: str
    fidelity: Fidelity | None = None
    accuracy: Accuracy | None = None
    timing: Timing | None = None


class Manifest(Strict):
    schema_version: Literal[1] = Field(default=1, alias="schema")
    edgekit: str
    name: str
    task: Task
    target: str
    converter: str
    variant: str = ""
    model: SourceModel
    artifact: Artifact
    reference: Artifact | None = None
    """The file that answers in the artifact's place where no machine but the target's own chip runs that: fidelity,
    accuracy and the golden pair are this file's."""
    steps: tuple[Step, ...]
    files: tuple[FileEntry, ...]
    """Every file of the bundle but manifest.json itself and manifest.sha256, its digest."""
    contract: str = "contract.toml"
    calibration: Calibration | None = None
    golden: Golden | None = None
    fidelity: Fidelity | None = None
    accuracy: Accuracy | None = None
    timing: Timing | None = None
    prediction: Prediction | None = None
    """What the compiler foretells, where it does."""
    isa: IsaCheck | None = None
    """None where it was not tried: see the notes."""
    dropped: tuple[Dropped, ...] = ()
    candidates: tuple[Dropped, ...] = ()
    """Verified candidates that lost to this one, with their figures, for the report."""
    notes: tuple[str, ...] = ()
    licence: str | None = None
    sensitivity: str | None = None
    """The file with what each layer loses alone in int8 (``edgekit why``), where that was found out."""
    sbom: str = "sbom.cdx.json"

    @property
    def answering(self) -> Artifact:
        """The file that a runner opens."""
        return self.reference or self.artifact
