"""How often a model is right, by the metric of its task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgekit.contracts import Boxes, Classes, LoadedContract, Mask, Prediction, Text
from edgekit.contracts.agreement import confusion, count_matches, edit_distance, f1, mean_iou, same_class_iou
from edgekit.contracts.predictions import Box
from edgekit.data.samples import Label
from edgekit.errors import DataError


def accuracy(
    contract: LoadedContract, predictions: Sequence[Prediction], labels: Sequence[Label]
) -> tuple[str, float]:
    """(metric, value 0..1) over all samples:

    classes: ``top-1``; text: ``character accuracy``, 1 - edit distance / characters of all labels, at least 0;
    boxes: ``F1@IoU0.5`` over all boxes, same class; masks: ``mIoU``, mean over the classes of intersection over union
    of the pixels of all images. DataError where the task has no metric or a label is missing.
    """
    kind = contract.schema.output.kind
    if kind not in _METRICS:
        raise DataError(
            f"task '{contract.schema.task}' has no accuracy on labels; samples are compared instead"
        )
    if not predictions or len(predictions) != len(labels):
        raise DataError(
            f"{len(predictions)} answers and {len(labels)} labels; accuracy needs one label a sample"
        )
    metric, measure = _METRICS[kind]
    return metric, measure(predictions, labels, contract)


def is_correct(prediction: Classes, label: str, labels: tuple[str, ...]) -> bool:
    """Whether the best class is ``label``: a name of the contract's labels, else an index."""
    best = prediction.top[0]
    return best.label == label if label in labels else str(best.index) == label


def _top_1(predictions: Sequence[Prediction], labels: Sequence[Label], contract: LoadedContract) -> float:
    answers = zip(predictions, labels, strict=True)
    right = [
        is_correct(prediction, label, contract.labels)
        for prediction, label in answers
        if isinstance(prediction, Classes) and isinstance(label, str)
    ]
    return sum(right) / len(predictions)


def _character_accuracy(
    predictions: Sequence[Prediction], labels: Sequence[Label], contract: LoadedContract
) -> float:
    pairs = [
        (prediction.text, label)
        for prediction, label in zip(predictions, labels, strict=True)
        if isinstance(prediction, Text) and isinstance(label, str)
    ]
    errors, characters = sum(edit_distance(*pair) for pair in pairs), sum(len(label) for _, label in pairs)
    return max(0.0, 1.0 - errors / characters) if characters else float(errors == 0)


def _box_f1(predictions: Sequence[Prediction], labels: Sequence[Label], contract: LoadedContract) -> float:
    counts = [
        count_matches(prediction.boxes, _boxes(label), same_class_iou)
        for prediction, label in zip(predictions, labels, strict=True)
        if isinstance(prediction, Boxes)
    ]
    matches, found, expected = (sum(column) for column in zip(*counts, strict=True))
    return f1(matches, found, expected)


def _boxes(label: Label) -> tuple[Box, ...]:
    return label if isinstance(label, tuple) else ()


def _miou(predictions: Sequence[Prediction], labels: Sequence[Label], contract: LoadedContract) -> float:
    pixels = np.zeros((len(contract.labels), len(contract.labels)), np.int64)
    for prediction, label in zip(predictions, labels, strict=True):
        if isinstance(prediction, Mask) and isinstance(label, Mask):
            pixels += confusion(prediction, label)
    return mean_iou(pixels)


_Measure = Callable[[Sequence[Prediction], Sequence[Label], LoadedContract], float]
_METRICS: dict[str, tuple[str, _Measure]] = {
    "classes": ("top-1", _top_1),
    "mask": ("mIoU", _miou),
    "index-map": ("mIoU", _miou),
    "text": ("character accuracy", _character_accuracy),
    "boxes": ("F1@IoU0.5", _box_f1),
}
