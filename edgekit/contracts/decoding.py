"""From the model's outputs to an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgekit.contracts.predictions import Classes, Embedding, Prediction, ScoredLabel, Tensors
from edgekit.contracts.schema import ClassesOutput, EmbeddingOutput, TensorOutput
from edgekit.contracts.types import Tensor
from edgekit.errors import ContractError

if TYPE_CHECKING:
    from edgekit.contracts.geometry import Geometry
    from edgekit.contracts.loading import LoadedContract

_Floats = npt.NDArray[np.float64]


def decode(contract: LoadedContract, outputs: Mapping[str, Tensor], geometry: Geometry | None) -> Prediction:
    """The answer in ``outputs``; ContractError where one is missing, of another shape, or NaN."""
    output = contract.schema.output
    read = {name: _read(outputs, name) for name in contract.schema.output_names()}
    match output:
        case ClassesOutput():
            return decode_classes(read[output.name], output, contract.labels)
        case EmbeddingOutput():
            return decode_embedding(read[output.name], output)
        case TensorOutput():
            return Tensors(read)
    raise ContractError(f"output kind '{output.kind}' cannot be decoded")


def _read(outputs: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in outputs:
        raise ContractError(f"output '{name}' is missing; there are: {', '.join(outputs) or 'none'}")
    value = np.asarray(outputs[name])
    if np.issubdtype(value.dtype, np.floating) and np.isnan(value).any():
        raise ContractError(f"output '{name}' holds NaN; the artifact computes wrongly")
    return value


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
            powers: _Floats = np.exp(scores - scores.max())
            probabilities: _Floats = powers / powers.sum()
            return probabilities
        case "sigmoid":
            return sigmoid(scores)
        case _:
            return scores


def sigmoid(values: _Floats) -> _Floats:
    """Without overflow for large negative values."""
    # tanh saturates where exp would overflow
    result: _Floats = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result


def decode_embedding(vector: Tensor, output: EmbeddingOutput) -> Embedding:
    """The vector [1, D], scaled to length 1 where the contract says so."""
    if vector.ndim != 2 or vector.shape[0] != 1:
        raise ContractError(f"output '{output.name}' has shape {list(vector.shape)}; an embedding is [1, D]")
    values = vector.astype(np.float64)[0]
    length = float(np.linalg.norm(values))
    return Embedding(tuple((values / length if output.normalize and length > 0 else values).tolist()))
