"""Read the points of a body from the raw outputs of BlazePose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.contracts.geometry import Geometry
from edgekit.contracts.numbers import sigmoid
from edgekit.contracts.predictions import Keypoint, Pose, Poses
from edgekit.contracts.schema import KeypointsOutput
from edgekit.contracts.types import Tensor
from edgekit.errors import ContractError

_VALUES = 5
"""x, y, z, visibility, presence."""
_AUXILIARY = 6
"""Points behind the named ones: MediaPipe finds the body on the next frame with them, and gives none out."""


def blazepose_shapes(keypoints: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Of the landmarks and of the presence."""
    return (1, _VALUES * (keypoints + _AUXILIARY)), (1, 1)


def decode_keypoints(
    outputs: Sequence[Tensor], output: KeypointsOutput, names: tuple[str, ...], geometry: Geometry
) -> Poses:
    """The one body that BlazePose looks for, on the original image; none where its presence is below the threshold.

    A point's score is the lower of its visibility (nothing is before it) and its presence (it is in the picture).
    ContractError where an output has an unexpected shape or holds infinity.
    """
    shapes = blazepose_shapes(len(names))
    for value, name, shape in zip(outputs, output.names, shapes, strict=True):
        if value.shape != shape:
            raise ContractError(
                f"output '{name}' has shape {list(value.shape)}; blazepose with {len(names)} keypoints needs {list(shape)}"
            )
    landmarks, presence = outputs[0].astype(np.float64), float(outputs[1][0, 0])
    if presence < output.score_threshold:
        return Poses(())
    values = landmarks.reshape(-1, _VALUES)[: len(names)]
    if not np.isfinite(values[:, :2]).all():
        raise ContractError(f"output '{output.names[0]}' holds infinity; it has no answer")
    places = geometry.beyond_original(values[:, :2])
    scores = sigmoid(values[:, 3:]).min(axis=1)
    points = tuple(
        Keypoint(name, float(x), float(y), float(score))
        for name, (x, y), score in zip(names, places, scores, strict=True)
    )
    return Poses((Pose(points, presence, output.skeleton),))
