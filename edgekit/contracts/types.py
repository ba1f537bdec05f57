"""What goes into a contract's ``encode`` and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgekit.contracts.geometry import Geometry

Image = npt.NDArray[np.uint8]
"""Height x width x 3, BGR."""
Tensor = npt.NDArray[Any]
Raw = Image | str | Mapping[str, Tensor]
"""A raw sample: an image, a text, or the arrays of an .npz file."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Model inputs by source name, batch dimension 1; ``geometry`` where they were made from an image."""

    tensors: dict[str, Tensor]
    meta: Geometry | None = None


class TensorSpec(Protocol):
    """What a contract needs to know of a model's input or output; a free dimension is no positive int."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> Sequence[int | str | None]: ...
    @property
    def dtype(self) -> str: ...
