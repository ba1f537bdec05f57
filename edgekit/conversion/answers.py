"""What a bundle answers to the evaluation samples, and how that compares with the source model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.manifest import Accuracy, Fidelity
from edgekit.contracts import Geometry, LoadedContract, Prediction, agreement
from edgekit.contracts.hysteresis import BoxesByTwo, by_two, hysteresis_agreement, lower_threshold
from edgekit.conversion.parity import fidelity, judge
from edgekit.conversion.samples import Evaluation
from edgekit.conversion.weights import stored_weights
from edgekit.data import accuracy, encode_sample
from edgekit.data.arrays import read_arrays, write_arrays

if TYPE_CHECKING:
    from edgekit.bundles.manifest import Artifact
    from edgekit.contracts.types import Tensor
    from edgekit.devices import Device
    from edgekit.vocabulary import Precision

BATCH = 16
"""Samples sent to a runner at once."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The evaluation samples as the model's inputs: encoded once, kept on disk."""

    files: tuple[Path, ...]
    geometries: tuple[Geometry | None, ...]

    def batches(self) -> Iterator[list[dict[str, Tensor]]]:
        for start in range(0, len(self.files), BATCH):
            yield [read_arrays(path) for path in self.files[start : start + BATCH]]

    @property
    def first(self) -> dict[str, Tensor]:
        return read_arrays(self.files[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One artifact's outputs in the source model's names and layouts, and what they mean."""

    outputs: Sequence[dict[str, Tensor]]
    predictions: Sequence[Prediction]
    boxes: Sequence[BoxesByTwo] = ()
    """Of a detector: by two thresholds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An artifact's figures; ``reason`` says why it must not be handed out."""

    fidelity: Fidelity
    accuracy: Accuracy | None
    reason: str | None


def write_inputs(evaluation: Evaluation, contract: LoadedContract, folder: Path) -> Inputs:
    """Encode every sample into ``folder``; DataError names the one that cannot be."""
    folder.mkdir(parents=True)
    files, geometries = [], []
    for place, sample in enumerate(evaluation.samples):
        encoded = encode_sample(sample, contract)
        files.append(folder / f"{place:05d}.npz")
        write_arrays(files[-1], encoded.tensors)
        geometries.append(encoded.meta)
    return Inputs(tuple(files), tuple(geometries))


def ask(bundle: Path, inputs: Inputs, contract: LoadedContract, device: Device, *, threads: int) -> Answers:
    """Run the bundle on every input. DeviceError where it fails, ContractError where its answer has no sense."""
    outputs: list[dict[str, Tensor]] = []
    with device.start(bundle, threads=threads) as session:
        session.load()
        for batch in inputs.batches():
            outputs += session.infer(batch)
    return read_answers(outputs, inputs.geometries, contract)


def read_answers(
    outputs: Sequence[dict[str, Tensor]], geometries: Sequence[Geometry | None], contract: LoadedContract
) -> Answers:
    """What ``outputs`` of an artifact mean. ContractError where they have no sense."""
    pairs = list(zip(outputs, geometries, strict=True))
    predictions = [contract.decode(found, meta) for found, meta in pairs]
    lower = lower_threshold(contract)
    possible = [lower.decode(found, meta) for found, meta in pairs] if lower else ()
    return Answers(outputs=outputs, predictions=predictions, boxes=by_two(predictions, possible))


def compare(
    source: Answers,
    artifact: Answers,
    contract: LoadedContract,
    evaluation: Evaluation,
    precision: Precision,
    stored: tuple[Path, Artifact] | None = None,
) -> Verdict:
    """The artifact's figures and, below the limits of its precision, the reason to give it up.

    ``stored``: bundle folder and artifact, to see whether its weights were quantized at all.
    """
    pairs = zip(artifact.predictions, source.predictions, strict=True)
    agreements = [agreement(ours, reference) for ours, reference in pairs]
    # between the classes of noise every rounding decides: its agreement is reported, not judged
    judged = fidelity(source.outputs, artifact.outputs, agreements=None if evaluation.random else agreements)
    steady = hysteresis_agreement(artifact.boxes, source.boxes)
    weights = stored_weights(stored[0] / stored[1].path, stored[1].format) if stored else None
    return Verdict(
        fidelity=Fidelity(
            samples=len(agreements),
            sqnr_db=round(judged.sqnr_db, 3),
            cosine=round(judged.cosine, 6),
            agreement=round(sum(agreements) / len(agreements), 6),
            hysteresis_agreement=None if steady is None else round(steady, 6),
            data=evaluation.data,
        ),
        accuracy=_accuracy(source, artifact, contract, evaluation),
        reason=judge(judged, precision, weights=weights),
    )


def _accuracy(
    source: Answers, artifact: Answers, contract: LoadedContract, evaluation: Evaluation
) -> Accuracy | None:
    if not evaluation.labelled:
        return None
    labels = evaluation.samples.labels
    metric, theirs = accuracy(contract, source.predictions, labels)
    _, ours = accuracy(contract, artifact.predictions, labels)
    return Accuracy(metric=metric, source=theirs, artifact=ours, samples=len(labels), data=evaluation.data)
