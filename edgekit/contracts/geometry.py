"""Where an input's pixels came from, so that boxes found in it can be drawn on the original image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """``input = original * scale + offset`` for edge coordinates (x, y) in pixels."""

    original_hw: tuple[int, int]
    input_hw: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_original(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map points [..., 2] of the input to the original image, clipped to it."""
        height, width = self.original_hw
        return np.clip(self.beyond_original(points), 0.0, (float(width), float(height)))

    def beyond_original(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The same, not clipped: where a foot stands that the picture does not show."""
        mapped: npt.NDArray[np.float64] = (np.asarray(points, np.float64) - self.offset) / self.scale
        return mapped
