"""How far two answers to the same sample agree, 0..1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from edgekit.contracts.pose_agreement import pose_agreement
from edgekit.contracts.predictions import (
    Box,
    Boxes,
    Classes,
    Embedding,
    Mask,
    Poses,
    Prediction,
    Tensors,
    Text,
    TextRegion,
    TextRegions,
)
from edgekit.contracts.types import Tensor

SAME_COSINE = 0.99
"""Embeddings this near find the same neighbours."""
SAME_RELATIVE_ERROR = 0.1
"""||a - b|| / ||b|| of tensors, 20 dB: about what int8 arithmetic costs."""
SAME_IOU = 0.5

_Found = TypeVar("_Found")


def agreement(a: Prediction, b: Prediction) -> float:
    """1.0 where ``a`` says what the reference ``b`` says, by the kind of answer:

    classes: same best class, or 0; boxes and text regions: F1 at IoU >= 0.5 and equal class; masks: mean IoU of
    the classes that are in either, the background too; poses: share of points within a tenth of the body; text: 1 - edit
    distance / length of the longer; embedding: 1 from cosine 0.99 up, else the cosine; tensors: 1 up to a relative error
    of 0.1, else 1 - error, smallest over the tensors, 0 where other values are not finite.
    """
    match a, b:
        case Classes(), Classes():
            return float(a.top[0].index == b.top[0].index)
        case Boxes(), Boxes():
            return f1(*count_matches(a.boxes, b.boxes, same_class_iou))
        case Mask(), Mask():
            return mean_iou(confusion(a, b))
        case TextRegions(), TextRegions():
            return f1(*count_matches(a.regions, b.regions, _region_iou))
        case Poses(), Poses():
            return pose_agreement(a.poses, b.poses)
        case Text(), Text():
            return text_similarity(a.text, b.text)
        case Embedding(), Embedding():
            near = _cosine(a.vector, b.vector)
            return 1.0 if near >= SAME_COSINE else max(0.0, near)
        case Tensors(), Tensors():
            return min(
                (_tensor_agreement(a.values.get(name), value) for name, value in b.values.items()),
                default=1.0,
            )
    raise TypeError(f"{type(a).__name__} and {type(b).__name__} are answers of different tasks")


def count_matches(
    found: Sequence[_Found], expected: Sequence[_Found], iou: Callable[[_Found, _Found], float]
) -> tuple[int, int, int]:
    """(matches, found, expected): each of ``found``, in its order, takes the best free one of ``expected``."""
    free = list(range(len(expected)))
    for item in found:
        overlaps = [(iou(item, expected[i]), -i) for i in free]
        if overlaps and max(overlaps)[0] >= SAME_IOU:
            free.remove(-max(overlaps)[1])
    return len(expected) - len(free), len(found), len(expected)


def f1(matches: int, found: int, expected: int) -> float:
    """2 TP / (found + expected); 1.0 where there is nothing on either side."""
    return 2.0 * matches / (found + expected) if found + expected else 1.0


def same_class_iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 between different classes."""
    return box_iou(a, b) if a.index == b.index else 0.0


class Rectangle(Protocol):
    """Edge coordinates in pixels."""

    @property
    def left(self) -> float: ...
    @property
    def top(self) -> float: ...
    @property
    def right(self) -> float: ...
    @property
    def bottom(self) -> float: ...


def box_iou(a: Rectangle, b: Rectangle) -> float:
    """Intersection over union."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box.right - box.left) * (box.bottom - box.top) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def confusion(found: Mask, expected: Mask) -> npt.NDArray[np.int64]:
    """Pixels by class, [found, expected], of two masks of one image; those where either is of no class do not count."""
    if found.size_hw != expected.size_hw or len(found.labels) != len(expected.labels):
        raise ValueError(f"masks of {found.size_hw} and {expected.size_hw} pixels are not of one image")
    a, b, classes = found.indices, expected.indices, len(expected.labels)
    known = (a >= 0) & (b >= 0)
    pairs = np.bincount(a[known].astype(np.int64) * classes + b[known], minlength=classes * classes)
    return pairs.reshape(classes, classes)


def mean_iou(pixels: npt.NDArray[np.int64]) -> float:
    """Intersection over union, mean over the classes that are on either side; 1.0 where there is no pixel.

    ``pixels``: as ``confusion`` counts them, of one image or summed over several.
    """
    shared = np.diagonal(pixels)
    union = pixels.sum(0) + pixels.sum(1) - shared
    there = union > 0
    return float((shared[there] / union[there]).mean()) if there.any() else 1.0


def _region_iou(a: TextRegion, b: TextRegion) -> float:
    import cv2  # loaded already by whoever made text regions

    first, second = (np.asarray(region.corners, np.float32) for region in (a, b))
    shared = float(cv2.intersectConvexConvex(first, second)[0])
    union = float(cv2.contourArea(first)) + float(cv2.contourArea(second)) - shared
    return shared / union if union > 0 else 0.0


def text_similarity(a: str, b: str) -> float:
    """1 - edit distance / length of the longer; 1.0 for equal texts."""
    if a == b:
        return 1.0
    return 1.0 - edit_distance(a, b) / max(len(a), len(b))


def edit_distance(a: str, b: str) -> int:
    """Levenshtein distance in characters."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    if len(a) != len(b):
        return 0.0
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.dot(a, b)) / lengths if lengths > 0 else float(tuple(a) == tuple(b))


def _tensor_agreement(value: Tensor | None, reference: Tensor) -> float:
    if value is None or value.shape != reference.shape:
        return 0.0
    finite = np.isfinite(reference)
    if not np.array_equal(np.isfinite(value), finite):
        return 0.0
    expected = reference[finite].astype(np.float64)
    error = float(np.linalg.norm(value[finite].astype(np.float64) - expected))
    size = float(np.linalg.norm(expected))
    relative = error / size if size > 0 else float(error > 0)
    return 1.0 if relative <= SAME_RELATIVE_ERROR else max(0.0, 1.0 - relative)
