"""Read boxes from the raw outputs of detectors: YOLOv3's and BlazeFace's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.contracts.geometry import Geometry
from edgekit.contracts.numbers import sigmoid
from edgekit.contracts.predictions import Box, Boxes
from edgekit.contracts.schema import BoxesOutput
from edgekit.contracts.types import Tensor
from edgekit.errors import ContractError

_Floats = npt.NDArray[np.float64]
_MAX_CANDIDATES = 1000
"""Boxes looked at, best first: with a threshold near 0 every cell has some, and NMS is quadratic."""
_LARGEST_EXPONENT = 50.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes before suppression: corners [n, 4] (left, top, right, bottom) and points [n, k, 2] in input pixels."""

    corners: _Floats
    scores: _Floats
    classes: npt.NDArray[np.intp]
    points: _Floats

    def take(self, which: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Candidates:
        return Candidates(self.corners[which], self.scores[which], self.classes[which], self.points[which])


def decode_boxes(
    outputs: Sequence[Tensor], output: BoxesOutput, labels: tuple[str, ...], geometry: Geometry
) -> Boxes:
    """Boxes on the original image, best first; ContractError where an output has an unexpected shape."""
    if output.decoder == "yolov3":
        found = _best(_yolov3_candidates(outputs, output, labels, geometry.input_hw), output.score_threshold)
        kept = found.take(suppress(found, output.iou_threshold))
    else:
        found = _best(_blazeface_candidates(outputs, output, geometry.input_hw), output.score_threshold)
        kept = blend(found, output.iou_threshold)
    return Boxes(tuple(_boxes(kept, labels, geometry)))


def _yolov3_candidates(
    outputs: Sequence[Tensor], output: BoxesOutput, labels: tuple[str, ...], input_hw: tuple[int, int]
) -> Candidates:
    """Anchors of cells in which a thing may be; a box's class is its best one, its score objectness times that class's."""
    per_output = len(output.anchors) // len(outputs)
    parts = [
        _yolov3_scale(
            value,
            name,
            np.asarray(output.anchors[i * per_output : (i + 1) * per_output]),
            len(labels),
            input_hw,
            output.score_threshold,
        )
        for i, (value, name) in enumerate(zip(outputs, output.names, strict=True))
    ]
    corners, scores, classes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Candidates(corners, scores, classes, np.empty((len(scores), 0, 2)))


def _yolov3_scale(
    value: Tensor, name: str, anchors: _Floats, classes: int, input_hw: tuple[int, int], threshold: float
) -> tuple[_Floats, _Floats, npt.NDArray[np.intp]]:
    if value.ndim != 4 or value.shape[:2] != (1, len(anchors) * (5 + classes)):
        raise ContractError(
            f"output '{name}' has shape {list(value.shape)}; {len(anchors)} anchors and {classes} labels need "
            f"[1, {len(anchors) * (5 + classes)}, H, W]"
        )
    rows, columns = value.shape[2:]
    cells = value.reshape(len(anchors), 5 + classes, rows, columns)
    objectness = sigmoid(cells[:, 4].astype(np.float64))
    # a score is never above its objectness, and most cells are empty
    anchor, row, column = np.nonzero(objectness >= threshold)
    raw = cells[anchor, :, row, column].astype(np.float64)
    stride = (input_hw[1] / columns, input_hw[0] / rows)
    centre = (sigmoid(raw[:, 0:2]) + np.stack([column, row], axis=-1)) * stride
    half = np.exp(np.minimum(raw[:, 2:4], _LARGEST_EXPONENT)) * anchors[anchor] / 2
    best = raw[:, 5:].argmax(-1)
    score = objectness[anchor, row, column] * sigmoid(raw[:, 5:].max(-1))
    return np.concatenate([centre - half, centre + half], -1), score, best


def _blazeface_candidates(
    outputs: Sequence[Tensor], output: BoxesOutput, input_hw: tuple[int, int]
) -> Candidates:
    """16x16 cells with 2 anchors and 8x8 cells with 6; offsets are in input pixels from the cell's centre."""
    for value, name, shape in zip(outputs, output.names, _BLAZEFACE_SHAPES, strict=True):
        if value.shape != shape:
            raise ContractError(
                f"output '{name}' has shape {list(value.shape)}; blazeface needs {list(shape)}"
            )
    scores = sigmoid(np.concatenate([value[0, :, 0] for value in outputs[:2]]).astype(np.float64))
    found = np.flatnonzero(scores >= output.score_threshold)
    raw = np.concatenate([value[0] for value in outputs[2:]])[found].astype(np.float64).reshape(-1, 8, 2)
    anchors = _BLAZEFACE_ANCHORS[found] * (input_hw[1], input_hw[0])
    centre, half = anchors + raw[:, 0], raw[:, 1] / 2
    points = anchors[:, None] + raw[:, 2:]
    corners = np.concatenate([centre - half, centre + half], -1)
    return Candidates(corners, scores[found], np.zeros(len(found), np.intp), points)


_BLAZEFACE_SHAPES = ((1, 512, 1), (1, 384, 1), (1, 512, 16), (1, 384, 16))


def _cell_centres(cells: int, anchors: int) -> _Floats:
    """(x, y) of each anchor, row by row, as shares of the input."""
    centres = (np.arange(cells) + 0.5) / cells
    grid: _Floats = np.stack(np.meshgrid(centres, centres), -1).reshape(-1, 2)
    return np.repeat(grid, anchors, axis=0)


_BLAZEFACE_ANCHORS = np.concatenate([_cell_centres(16, 2), _cell_centres(8, 6)])


def _best(candidates: Candidates, score_threshold: float) -> Candidates:
    order = np.argsort(-candidates.scores, kind="stable")[:_MAX_CANDIDATES]
    return candidates.take(order[candidates.scores[order] >= score_threshold])


def suppress(candidates: Candidates, iou_threshold: float) -> npt.NDArray[np.intp]:
    """Greedy non-maximum suppression within each class; ``candidates`` come best first."""
    kept: list[int] = []
    alive = np.ones(len(candidates.scores), bool)
    for i in range(len(alive)):
        if alive[i]:
            kept.append(i)
            same = candidates.classes == candidates.classes[i]
            alive &= ~(same & (overlaps(candidates.corners[i], candidates.corners) > iou_threshold))
    return np.asarray(kept, np.intp)


def blend(candidates: Candidates, iou_threshold: float) -> Candidates:
    """MediaPipe's suppression: each group of overlapping boxes becomes its mean, weighted by score."""
    corners, points, first = [], [], []
    alive = np.ones(len(candidates.scores), bool)
    for i in range(len(alive)):
        if alive[i]:
            group = alive & (overlaps(candidates.corners[i], candidates.corners) > iou_threshold)
            group[i] = True  # also where the box has no area
            weights = candidates.scores[group] / candidates.scores[group].sum()
            corners.append(np.tensordot(weights, candidates.corners[group], 1))
            points.append(np.tensordot(weights, candidates.points[group], 1))
            first.append(i)
            alive &= ~group
    kept = candidates.take(np.asarray(first, np.intp))
    return Candidates(
        np.reshape(corners, (-1, 4)), kept.scores, kept.classes, np.reshape(points, kept.points.shape)
    )


def overlaps(box: _Floats, others: _Floats) -> _Floats:
    """Intersection over union of one box with each of ``others`` [n, 4]."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    iou: _Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def _boxes(kept: Candidates, labels: tuple[str, ...], geometry: Geometry) -> list[Box]:
    corners = geometry.to_original(kept.corners.reshape(-1, 2, 2)).reshape(-1, 4)
    points = geometry.to_original(kept.points)
    return [
        Box(
            index=int(index),
            label=labels[index],
            score=float(score),
            left=float(left),
            top=float(top),
            right=float(right),
            bottom=float(bottom),
            points=tuple((float(x), float(y)) for x, y in marks),
        )
        for (left, top, right, bottom), score, index, marks in zip(
            corners, kept.scores, kept.classes, points, strict=True
        )
    ]
