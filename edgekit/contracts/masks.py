"""Read which class each pixel is of from what a segmentation model gives: maps of scores, or the indices themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edgekit.contracts.geometry import Geometry
from edgekit.contracts.numbers import sigmoid
from edgekit.contracts.predictions import Mask
from edgekit.contracts.runs import UNKNOWN, Indices
from edgekit.contracts.schema import IndexMapOutput, MaskOutput
from edgekit.contracts.shapes import show_shape
from edgekit.contracts.types import Tensor
from edgekit.errors import ContractError

_Floats = npt.NDArray[np.float32]
_LOWEST = np.float32(-1e30)
_BLOCK = 32
"""Columns of the image that are enlarged at once: they stay in a processor's cache."""


def decode_mask(scores: Tensor, output: MaskOutput, labels: tuple[str, ...], geometry: Geometry) -> Mask:
    """The class of each pixel of the original image.

    Scores are interpolated between the map's pixels (bilinear, half-pixel centres, the edge continued), then compared:
    with ``threshold`` to it, else with each other; equal ones go to the first label. Pixels that ``resize`` cut off are
    of no class. ContractError where the map does not fit the labels.
    """
    maps = _maps(scores, output, labels)
    across = _Axis(maps.shape[2], geometry, 0)
    down = _Axis(maps.shape[1], geometry, 1)
    columns = np.zeros((geometry.original_hw[1], geometry.original_hw[0]), np.int16)
    if output.threshold is None:
        _choose_largest(columns, maps, across, down)
    else:
        for part, scores in _enlarged(_probabilities(maps[0], output), across, down):
            columns[part] = scores >= np.float32(output.threshold)
    return _mask(columns, across, down, labels, _background(output, labels))


def decode_index_map(
    indices: Tensor, output: IndexMapOutput, labels: tuple[str, ...], geometry: Geometry
) -> Mask:
    """The class of each pixel of the original image: that of the map's pixel it lies in.

    Nothing is interpolated, since between two classes there is none. ContractError where the map has another shape, or holds
    what is no index of a label.
    """
    if problem := label_problem(output, labels):
        raise ContractError(f"output '{output.name}': {problem}")
    map_ = _index_map(indices, output, len(labels))
    across = _Axis(map_.shape[1], geometry, 0)
    down = _Axis(map_.shape[0], geometry, 1)
    columns = map_.T[np.ix_(across.nearest, down.nearest)].astype(np.int16)
    return _mask(columns, across, down, labels, _background(output, labels))


def _index_map(indices: Tensor, output: IndexMapOutput, labels: int) -> Tensor:
    """[height, width], whole numbers below ``labels``."""
    shape = next((shape for shape in INDEX_MAP_SHAPES if _is_shape(indices.shape, shape)), None)
    if shape is None:
        wanted = " or ".join(map(show_shape, INDEX_MAP_SHAPES))
        raise ContractError(f"output '{output.name}' has shape {list(indices.shape)}; it needs {wanted}")
    map_ = indices.reshape([there for side, there in zip(shape, indices.shape, strict=True) if side is None])
    wrong = map_[(map_ < 0) | (map_ >= labels) | (map_ != np.rint(map_))]
    if wrong.size:
        raise ContractError(
            f"output '{output.name}' holds {wrong[0]:g}, which is no index of the {labels} labels in '{output.labels}'"
        )
    return map_


INDEX_MAP_SHAPES = ((1, None, None), (1, 1, None, None), (1, None, None, 1))
"""None: height and width, of any size."""


def _is_shape(given: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(given) == len(shape) and all(
        side in (None, there) for side, there in zip(shape, given, strict=True)
    )


def _mask(
    columns: Indices, across: _Axis, down: _Axis, labels: tuple[str, ...], background: int | None
) -> Mask:
    """``columns`` without what ``resize`` cut off."""
    columns[~across.seen] = UNKNOWN
    columns[:, ~down.seen] = UNKNOWN
    return Mask.of(columns, labels, background)


def _background(output: MaskOutput | IndexMapOutput, labels: tuple[str, ...]) -> int | None:
    """Index of the class that is no thing; None where there is none."""
    if isinstance(output, MaskOutput) and output.threshold is not None:
        return 0
    return None if output.background is None else labels.index(output.background)


def label_problem(output: MaskOutput | IndexMapOutput, labels: tuple[str, ...]) -> str | None:
    """What is wrong with the labels of ``output``."""
    if isinstance(output, MaskOutput) and output.threshold is not None and len(labels) != 2:
        return f"'threshold' tells two labels apart, '{output.labels}' has {len(labels)}"
    if output.background is not None and output.background not in labels:
        return f"background '{output.background}' is none of the labels in '{output.labels}'"
    return None


def _maps(scores: Tensor, output: MaskOutput, labels: tuple[str, ...]) -> _Floats:
    """[channels, height, width]"""
    if problem := label_problem(output, labels):
        raise ContractError(f"output '{output.name}': {problem}")
    shape = output.shape(len(labels))
    if not _is_shape(scores.shape, shape):
        raise ContractError(
            f"output '{output.name}' has shape {list(scores.shape)}; it needs {show_shape(shape)}"
        )
    maps = scores[0] if output.layout == "nchw" else scores[0].transpose(2, 0, 1)
    # a class that is ruled out: minus infinity times a weight of nothing would be no number
    return np.maximum(np.ascontiguousarray(maps, np.float32), _LOWEST)


def _probabilities(scores: _Floats, output: MaskOutput) -> _Floats:
    return sigmoid(scores.astype(np.float64)).astype(np.float32) if output.activation == "sigmoid" else scores


def _choose_largest(columns: Indices, maps: _Floats, across: _Axis, down: _Axis) -> None:
    """One class after the other: all of them at once, enlarged, would be gigabytes for a photograph."""
    best = np.full(columns.shape, -np.inf, np.float32)
    for index, one in enumerate(maps):
        for part, scores in _enlarged(one, across, down):
            better = scores > best[part]
            best[part][better] = scores[better]
            columns[part][better] = index


class _Axis:
    """Where the pixels of one side of the original image lie between those of the map."""

    def __init__(self, length: int, geometry: Geometry, axis: int) -> None:
        """``length``: of the map; ``axis``: 0 across, 1 down."""
        pixels = geometry.original_hw[1 - axis]
        input_pixels = geometry.input_hw[1 - axis]
        # the centre of each pixel, in edge coordinates of the input
        centres = (np.arange(pixels) + 0.5) * geometry.scale[axis] + geometry.offset[axis]
        self.seen = (centres >= 0) & (centres <= input_pixels)
        places = np.clip(centres * (length / input_pixels) - 0.5, 0.0, length - 1.0)
        self._places = places
        self._low = np.floor(places).astype(np.intp)
        self._high = np.minimum(self._low + 1, length - 1)
        self._share = (places - self._low).astype(np.float32)[:, None]

    @property
    def nearest(self) -> npt.NDArray[np.intp]:
        """The map's pixel that each lies in."""
        return np.asarray(np.floor(self._places + 0.5), np.intp)

    def between(self, values: _Floats, part: slice) -> _Floats:
        """``values`` [n, m] at these of the pixels along the first side."""
        low: _Floats = values[self._low[part]]
        high, share = values[self._high[part]], self._share[part]
        low *= np.float32(1) - share
        high *= share
        low += high
        return low


def _enlarged(scores: _Floats, across: _Axis, down: _Axis) -> Iterator[tuple[slice, _Floats]]:
    """The map at each pixel of the original image: some columns [n, height] after the other.

    By single products and sums of float32, which every machine rounds alike: a pixel at the threshold, as maps of int8
    have many, falls to the same side everywhere.
    """
    high = np.ascontiguousarray(down.between(scores, slice(None)).T)
    for start in range(0, len(across.seen), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield part, across.between(high, part)
