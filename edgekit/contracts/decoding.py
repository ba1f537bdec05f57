"""From the model's outputs to an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgekit.contracts.boxes import decode_boxes
from edgekit.contracts.ctc import decode_ctc
from edgekit.contracts.keypoints import decode_keypoints
from edgekit.contracts.masks import decode_index_map, decode_mask
from edgekit.contracts.numbers import sigmoid, softmax
from edgekit.contracts.predictions import Classes, Embedding, Prediction, ScoredLabel, Tensors
from edgekit.contracts.schema import (
    BoxesOutput,
    ClassesOutput,
    EmbeddingOutput,
    IndexMapOutput,
    KeypointsOutput,
    MaskOutput,
    TensorOutput,
    TextOutput,
    TextRegionsOutput,
)
from edgekit.contracts.text_regions import decode_text_regions
from edgekit.contracts.types import Tensor
from edgekit.errors import ContractError

if TYPE_CHECKING:
    from edgekit.contracts.geometry import Geometry
    from edgekit.contracts.loading import LoadedContract

_Floats = npt.NDArray[np.float64]


def decode(contract: LoadedContract, outputs: Mapping[str, Tensor], geometry: Geometry | None) -> Prediction:
    """The answer in ``outputs``; ContractError where one is missing, of another shape, or has no answer in it."""
    output = contract.schema.output
    read = {name: _read(outputs, name) for name in contract.schema.output_names()}
    if isinstance(output, TensorOutput):
        return Tensors(read)
    for name, value in read.items():
        _check_numbers(name, value)
    match output:
        case ClassesOutput():
            return decode_classes(read[output.name], output, contract.labels)
        case EmbeddingOutput():
            return decode_embedding(read[output.name], output)
        case TextOutput():
            return decode_ctc(read[output.name], output, contract.characters)
        case TextRegionsOutput():
            return decode_text_regions(read[output.name], output, _needed(geometry))
        case MaskOutput():
            return decode_mask(read[output.name], output, contract.labels, _needed(geometry))
        case IndexMapOutput():
            return decode_index_map(read[output.name], output, contract.labels, _needed(geometry))
        case BoxesOutput():
            return decode_boxes(
                [read[name] for name in output.names], output, contract.labels, _needed(geometry)
            )
        case KeypointsOutput():
            return decode_keypoints(
                [read[name] for name in output.names], output, contract.keypoints, _needed(geometry)
            )


def _needed(geometry: Geometry | None) -> Geometry:
    if geometry is None:
        raise ContractError("nothing can be placed without the 'meta' that encode gave with this sample")
    return geometry


def _read(outputs: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in outputs:
        raise ContractError(f"output '{name}' is missing; there are: {', '.join(outputs) or 'none'}")
    return np.asarray(outputs[name])


def _check_numbers(name: str, value: Tensor) -> None:
    """NaN has no place in an order, nor infinity in a softmax; minus infinity is a class that is ruled out."""
    if np.isnan(value).any() or not value.size or not np.isfinite(value.max()):
        raise ContractError(f"output '{name}' is empty or holds NaN or infinity; it has no answer")


def decode_classes(scores: Tensor, output: ClassesOutput, labels: tuple[str, ...]) -> Classes:
    """The ``top_k`` classes of scores [1, classes]; equal scores keep the order of the labels."""
    if scores.size != len(labels):
        raise ContractError(
            f"output '{output.name}' has {scores.size} scores {list(scores.shape)}, but '{output.labels}' "
            f"has {len(labels)} labels"
        )
    probabilities = _activate(scores.astype(np.float64).ravel(), output.activation)
    order = np.argsort(-probabilities, kind="stable")[: output.top_k]
    return Classes(tuple(ScoredLabel(int(i), labels[i], float(probabilities[i])) for i in order))


def _activate(scores: _Floats, activation: str) -> _Floats:
    match activation:
        case "softmax":
            return softmax(scores)
        case "sigmoid":
            return sigmoid(scores)
        case _:
            return scores


def decode_embedding(vector: Tensor, output: EmbeddingOutput) -> Embedding:
    """The vector [1, D], scaled to length 1 where the contract says so."""
    if vector.ndim != 2 or vector.shape[0] != 1:
        raise ContractError(f"output '{output.name}' has shape {list(vector.shape)}; an embedding is [1, D]")
    values = vector.astype(np.float64)[0]
    if not np.isfinite(values).all():
        raise ContractError(f"output '{output.name}' holds infinity; it has no answer")
    length = float(np.linalg.norm(values))
    return Embedding(tuple((values / length if output.normalize and length > 0 else values).tolist()))
