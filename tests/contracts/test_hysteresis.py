"""A box whose score crosses the threshold by little is found; one that is nowhere, elsewhere or of another class is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.contracts import Box, Boxes, Geometry, Prediction, agreement
from edgekit.contracts.hysteresis import (
    SCORE_BAND,
    BoxesByTwo,
    by_two,
    hysteresis_agreement,
    lower_threshold,
)
from tests.contracts.making import image, loaded

YOLO: dict[str, Any] = {
    "kind": "boxes", "decoder": "yolov3", "names": ["y"], "labels": "labels.txt", "anchors": [[8.0, 8.0]],
}  # fmt: skip


def box(left: float, score: float, index: int = 0) -> Box:
    return Box(index=index, label="x", score=score, left=left, top=0, right=left + 10, bottom=10)


def two(*boxes: Box, threshold: float = 0.5) -> BoxesByTwo:
    return BoxesByTwo(
        Boxes(tuple(box for box in boxes if box.score >= threshold)),
        Boxes(tuple(box for box in boxes if box.score >= threshold - SCORE_BAND)),
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "strict", "steady"),
    [
        ([box(0, 0.49)], [box(0, 0.51)], 0.0, 1.0),
        ([box(0, 0.51)], [box(0, 0.49)], 0.0, 1.0),
        ([box(0, 0.44)], [box(0, 0.51)], 0.0, 0.0),
        ([box(0, 0.9), box(50, 0.49)], [box(0, 0.9), box(50, 0.6)], 2 / 3, 1.0),
        ([box(0, 0.9), box(50, 0.2)], [box(0, 0.9), box(50, 0.6)], 2 / 3, 2 / 3),
        ([box(0, 0.49, 1)], [box(0, 0.51)], 0.0, 0.0),
        ([box(8, 0.6)], [box(0, 0.6)], 0.0, 0.0),
        # one possible box is no match for two sure ones
        ([box(0, 0.9), box(1, 0.8)], [box(0, 0.9)], 2 / 3, 2 / 3),
        ([box(0, 0.48)], [box(0, 0.47)], 1.0, 1.0),
        ([], [], 1.0, 1.0),
    ],
)
def test_a_score_near_the_threshold_is_no_other_answer(
    ours: list[Box], theirs: list[Box], strict: float, steady: float
) -> None:
    a, b = two(*ours), two(*theirs)
    assert agreement(a.sure, b.sure) == pytest.approx(strict)
    assert hysteresis_agreement([a], [b]) == pytest.approx(steady)
    assert hysteresis_agreement([b], [a]) == pytest.approx(steady)


def test_with_one_threshold_it_is_f1() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        sides = [
            Boxes(tuple(box(float(left), 0.9) for left in rng.integers(0, 40, rng.integers(0, 4)) * 20))
            for _ in range(2)
        ]
        found = hysteresis_agreement([BoxesByTwo(sides[0], sides[0])], [BoxesByTwo(sides[1], sides[1])])
        assert found == pytest.approx(agreement(*sides))


def test_the_mean_is_that_of_the_samples() -> None:
    same, other = two(box(0, 0.9)), two(box(100, 0.9))
    assert hysteresis_agreement([same, same], [same, other]) == pytest.approx(0.5)
    assert hysteresis_agreement([], []) is None


@pytest.mark.parametrize(("threshold", "lower"), [(0.3, 0.25), (0.5, 0.45), (0.06, 0.03)])
def test_a_detector_is_read_by_a_lower_threshold(tmp_path: Path, threshold: float, lower: float) -> None:
    contract = loaded(tmp_path, "object-detection", [image()], YOLO | {"score_threshold": threshold}, ("x",))
    wider = lower_threshold(contract)
    assert wider
    raw = np.full((1, 6, 1, 1), 30.0, np.float32)
    raw[0, :4] = 0
    geometry = Geometry(original_hw=(4, 6), input_hw=(4, 6), scale=(1.0, 1.0), offset=(0.0, 0.0))
    for score in (lower + 0.001, lower - 0.001):
        raw[0, 4] = np.log(score / (1 - score))
        sure, possible = contract.decode({"y": raw}, geometry), wider.decode({"y": raw}, geometry)
        (pair,) = by_two([sure], [possible])
        assert (len(pair.sure.boxes), len(pair.possible.boxes)) == (0, int(score > lower))


def test_other_answers_have_one_threshold(tmp_path: Path) -> None:
    contract = loaded(tmp_path)
    assert lower_threshold(contract) is None
    answers: list[Prediction] = [contract.decode({"y": np.zeros((1, 3), np.float32)})]
    assert by_two(answers, ()) == ()
