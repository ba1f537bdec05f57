"""Agreement of answers, on pairs whose value is plain."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.contracts import (
    Box,
    Boxes,
    Classes,
    Embedding,
    Prediction,
    ScoredLabel,
    Tensors,
    Text,
    TextRegion,
    TextRegions,
    agreement,
)
from edgekit.contracts.agreement import edit_distance


def box(left: float, index: int = 0, width: float = 10) -> Box:
    return Box(index=index, label="x", score=0.9, left=left, top=0, right=left + width, bottom=10)


def region(left: float) -> TextRegion:
    return TextRegion(((left, 0), (left + 10, 0), (left + 10, 5), (left, 5)), 0.9)


def classes(*order: int) -> Classes:
    return Classes(tuple(ScoredLabel(i, str(i), 0.5) for i in order))


def tensor(*values: float) -> Tensors:
    return Tensors({"y": np.array(values, np.float32)})


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (classes(1, 2), classes(1, 0), 1.0),
        (classes(2, 1), classes(1, 2), 0.0),
        (Text("edge", 0.5), Text("edge", 0.9), 1.0),
        (Text("edga", 0.9), Text("edge", 0.9), 0.75),
        (Text("", 0.0), Text("edge", 0.9), 0.0),
        (Text("", 0.0), Text("", 0.0), 1.0),
        (Boxes(()), Boxes(()), 1.0),
        (Boxes(()), Boxes((box(0),)), 0.0),
        (Boxes((box(3),)), Boxes((box(0),)), 1.0),  # IoU 7 / 13
        (Boxes((box(4),)), Boxes((box(0),)), 0.0),  # IoU 6 / 14
        (Boxes((box(0, index=1),)), Boxes((box(0),)), 0.0),
        (Boxes((box(0), box(50))), Boxes((box(0),)), pytest.approx(2 / 3)),
        (Boxes((box(0), box(1))), Boxes((box(0),)), pytest.approx(2 / 3)),  # one of them has no partner
        (Boxes((box(0, width=0),)), Boxes((box(0, width=0),)), 0.0),
        (TextRegions((region(0), region(100))), TextRegions((region(2), region(200))), 0.5),
        (TextRegions(()), TextRegions(()), 1.0),
        (Embedding((1.0, 0.0)), Embedding((2.0, 0.1)), 1.0),
        (Embedding((1.0, 1.0)), Embedding((1.0, 0.0)), pytest.approx(2**-0.5)),
        (Embedding((-1.0, 0.0)), Embedding((1.0, 0.0)), 0.0),
        (Embedding((0.0, 0.0)), Embedding((1.0, 0.0)), 0.0),
        (Embedding((0.0, 0.0)), Embedding((0.0, 0.0)), 1.0),
        (Embedding((1.0,)), Embedding((1.0, 0.0)), 0.0),
        (tensor(1.05, 0), tensor(1, 0), 1.0),
        (tensor(1.5, 0), tensor(1, 0), 0.5),
        (tensor(9, 0), tensor(1, 0), 0.0),
        (tensor(float("nan"), 0), tensor(1, 0), 0.0),
        (tensor(float("nan"), 1), tensor(float("nan"), 1), 1.0),
        (tensor(1), tensor(1, 0), 0.0),
        (tensor(0, 0), tensor(0, 0), 1.0),
        (Tensors({}), tensor(1), 0.0),
    ],
)
def test_agreement(a: Prediction, b: Prediction, expected: float) -> None:
    assert agreement(a, b) == expected


def test_answers_of_different_tasks_cannot_be_compared() -> None:
    with pytest.raises(TypeError, match="Text and Classes"):
        agreement(Text("a", 1.0), classes(1))


def test_the_worst_tensor_counts() -> None:
    reference = Tensors({"y": np.ones(2), "z": np.ones(2)})
    assert agreement(Tensors({"y": np.ones(2), "z": np.zeros(2)}), reference) == 0.0


@pytest.mark.parametrize(
    ("a", "b", "distance"), [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abcd", "acbd", 2)]
)
def test_edit_distance(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == distance
