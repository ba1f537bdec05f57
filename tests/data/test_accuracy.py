"""Metrics on answers whose value is plain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.contracts import Box, Boxes, Classes, Mask, ScoredLabel, Text
from edgekit.data import accuracy
from edgekit.errors import DataError
from tests.data.making import arrays_contract, classifier, detector, reader, segmentation

NAMES = ("cat", "dog", "bird")


def best(index: int) -> Classes:
    return Classes((ScoredLabel(index, NAMES[index], 0.9), ScoredLabel((index + 1) % 3, "", 0.1)))


def box(left: float, index: int = 0) -> Box:
    return Box(index=index, label=NAMES[index], score=0.9, left=left, top=0, right=left + 10, bottom=10)


def test_classes_count_by_their_best(tmp_path: Path) -> None:
    answers = [best(0), best(1), best(2), best(2)]
    assert accuracy(classifier(tmp_path), answers, ["cat", "dog", "cat", "2"]) == ("top-1", 0.75)


def test_texts_count_by_character(tmp_path: Path) -> None:
    answers = [Text("abba", 1.0), Text("", 0.0), Text("b", 1.0)]
    metric, value = accuracy(reader(tmp_path), answers, ["abab", "ab", "b"])
    assert metric == "character accuracy"
    assert value == pytest.approx(1 - (2 + 2 + 0) / 7)
    assert accuracy(reader(tmp_path), [Text("aaaa", 1.0)], ["b"])[1] == 0.0
    assert accuracy(reader(tmp_path), [Text("", 0.0)], [""])[1] == 1.0


def test_boxes_count_over_all_images(tmp_path: Path) -> None:
    answers = [Boxes((box(0), box(40))), Boxes(()), Boxes((box(0, index=1),))]
    labels = [(box(1),), (box(0),), (box(0),)]
    metric, value = accuracy(detector(tmp_path), answers, labels)
    assert metric == "F1@IoU0.5"
    assert value == pytest.approx(2 * 1 / (3 + 3))


def mask(*row: int) -> Mask:
    return Mask.of(np.array(row, np.int16)[:, None], ("background", "person"), 0)


def test_masks_count_over_the_pixels_of_all_images(tmp_path: Path) -> None:
    """One image would have a mean IoU of 0 for its person; over both the class has 1 of 4 pixels."""
    answers = [mask(0, 0, 1, 1), mask(0, 0, 0, 1)]
    labels = [mask(0, 0, 1, 0), mask(0, 1, 1, -1)]  # the last pixel does not count
    metric, value = accuracy(segmentation(tmp_path), answers, labels)
    assert metric == "mIoU"
    assert value == pytest.approx((3 / 6 + 1 / 4) / 2)


def test_a_task_without_metric_and_missing_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="task 'tensor' has no accuracy"):
        accuracy(arrays_contract(), [], [])
    with pytest.raises(DataError, match="1 answers and 0 labels"):
        accuracy(classifier(tmp_path), [best(0)], [])
