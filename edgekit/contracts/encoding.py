"""From a raw sample to the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.contracts.image import encode_image
from edgekit.contracts.schema import ImageInput, TensorInput, TokenInput
from edgekit.contracts.text import encode_text
from edgekit.contracts.types import Encoded, Raw, Tensor
from edgekit.errors import DataError

if TYPE_CHECKING:
    from edgekit.contracts.loading import LoadedContract


def encode(contract: LoadedContract, raw: Raw) -> Encoded:
    """Inputs by source name, batch dimension 1; DataError where ``raw`` is not what the contract asks for."""
    inputs = contract.schema.inputs
    if images := [item for item in inputs if isinstance(item, ImageInput)]:
        tensor, geometry = encode_image(raw, images[0])
        return Encoded({images[0].name: tensor}, geometry)
    if tokens := [item for item in inputs if isinstance(item, TokenInput)]:
        return Encoded(encode_text(raw, contract.tokenizer, tokens))
    return Encoded({item.name: _read_array(raw, item) for item in inputs if isinstance(item, TensorInput)})


def _read_array(raw: Raw, spec: TensorInput) -> Tensor:
    if not isinstance(raw, Mapping):
        raise DataError(f"input '{spec.name}' needs the arrays of an .npz file, got {type(raw).__name__}")
    if spec.name not in raw:
        raise DataError(f"input '{spec.name}': no array of that name; there are: {', '.join(raw) or 'none'}")
    array = np.asarray(raw[spec.name])
    if array.shape != spec.shape:
        raise DataError(f"input '{spec.name}' needs shape {list(spec.shape)}, got {list(array.shape)}")
    if not _fits(array, np.dtype(spec.dtype)):
        raise DataError(
            f"input '{spec.name}' needs {spec.dtype}, got {array.dtype} values that it cannot hold"
        )
    return np.ascontiguousarray(array, spec.dtype)


def _fits(array: Tensor, dtype: np.dtype[Any]) -> bool:
    """Whether ``array`` becomes ``dtype`` without losing more than floating-point digits."""
    if np.issubdtype(array.dtype, np.integer) and np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return not array.size or bool(array.min() >= limits.min and array.max() <= limits.max)
    return np.can_cast(array.dtype, dtype, "same_kind")
