"""Detectors' raw outputs, made by hand from boxes that are known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgekit.contracts import Boxes, Geometry, LoadedContract
from edgekit.contracts.boxes import Candidates, suppress
from edgekit.errors import ContractError
from tests.contracts.making import image, loaded

LABELS = ("person", "car")
ANCHORS = [[10.0, 20.0], [30.0, 15.0], [60.0, 60.0], [90.0, 40.0]]
YOLO = {"kind": "boxes", "decoder": "yolov3", "names": ["a", "b"], "labels": "labels.txt", "anchors": ANCHORS}
BLAZE = {"kind": "boxes", "decoder": "blazeface", "names": ["s1", "s2", "b1", "b2"], "labels": "labels.txt"}
GEOMETRY = Geometry(original_hw=(200, 400), input_hw=(64, 128), scale=(0.32, 0.32), offset=(0.0, 0.0))
Outputs = dict[str, npt.NDArray[np.float32]]


def yolo(folder: Path, **changes: Any) -> LoadedContract:
    return loaded(folder, "object-detection", [image(size=[64, 128])], YOLO | changes, LABELS)


def yolo_outputs() -> Outputs:
    """A coarse grid 2x4 (stride 32) and a fine one 4x8 (stride 16), nothing found."""
    return {"a": np.full((1, 14, 2, 4), -20, np.float32), "b": np.full((1, 14, 4, 8), -20, np.float32)}


def put(
    outputs: Outputs, name: str, anchor: int, cell: tuple[int, int], car: float, *, wide: float = 1.0
) -> None:
    """A box of ``anchor``'s size, ``wide`` times its width, centred in ``cell`` (row, column)."""
    values = [0.0, 0.0, math.log(wide), 0.0, 20.0, -20.0, math.log(car / (1 - car))]
    outputs[name][0, anchor * 7 : anchor * 7 + 7, cell[0], cell[1]] = values


def boxes_of(contract: LoadedContract, outputs: Outputs, geometry: Geometry = GEOMETRY) -> Boxes:
    answer = contract.decode(outputs, geometry)
    assert isinstance(answer, Boxes)
    return answer


def test_yolov3_places_boxes_by_cell_and_anchor(tmp_path: Path) -> None:
    outputs = yolo_outputs()
    put(outputs, "a", 1, (0, 2), 0.9)  # centre (80, 16), anchor 30 x 15 of the first output
    put(outputs, "b", 0, (2, 3), 0.8, wide=0.5)  # centre (56, 40), anchor 60 x 60 of the second, half as wide
    first, second = boxes_of(yolo(tmp_path), outputs).boxes
    assert first.label == "car"
    assert first.score == pytest.approx(0.9, abs=1e-6)
    edges = (first.left, first.top, first.right, first.bottom)
    assert edges == pytest.approx((65 / 0.32, 8.5 / 0.32, 95 / 0.32, 23.5 / 0.32))
    edges = (second.left, second.top, second.right, second.bottom)
    assert edges == pytest.approx(
        (41 / 0.32, 10 / 0.32, 71 / 0.32, 200)
    )  # the lowest edge is cut at the image


def test_nothing_found_is_an_answer(tmp_path: Path) -> None:
    assert boxes_of(yolo(tmp_path), yolo_outputs()).to_json() == '{"boxes":[]}'


def test_the_score_threshold_counts_objectness_times_class(tmp_path: Path) -> None:
    outputs = yolo_outputs()
    put(outputs, "a", 0, (0, 0), 0.6)
    outputs["a"][0, 4, 0, 0] = 0.0  # objectness 0.5
    assert not boxes_of(yolo(tmp_path, score_threshold=0.31), outputs).boxes
    assert len(boxes_of(yolo(tmp_path, score_threshold=0.29), outputs).boxes) == 1


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_a_higher_threshold_leaves_the_same_boxes_but_for_those_below(
    tmp_path: Path, threshold: float
) -> None:
    """Of noise; cells below it are left out before the rest of them is computed."""
    rng = np.random.default_rng(8)
    outputs = {
        name: rng.normal(0, 3, value.shape).astype(np.float32) for name, value in yolo_outputs().items()
    }
    every = boxes_of(yolo(tmp_path / "all", score_threshold=0.0, iou_threshold=1.0), outputs).boxes
    some = boxes_of(yolo(tmp_path / "some", score_threshold=threshold, iou_threshold=1.0), outputs).boxes
    assert len(every) == 80
    assert 0 < len(some) < 80
    assert some == tuple(box for box in every if box.score >= threshold)


def test_overlapping_boxes_of_one_class_become_one(tmp_path: Path) -> None:
    outputs = yolo_outputs()
    put(outputs, "a", 1, (0, 2), 0.9)
    put(outputs, "a", 0, (0, 2), 0.8, wide=2.5)  # 25 x 20 at the same place: IoU .67
    assert [box.score for box in boxes_of(yolo(tmp_path), outputs).boxes] == [pytest.approx(0.9, abs=1e-6)]
    assert len(boxes_of(yolo(tmp_path, iou_threshold=0.7), outputs).boxes) == 2
    outputs["a"][0, 5, 0, 2] = 30.0  # now a person: other classes do not compete
    assert {box.label for box in boxes_of(yolo(tmp_path), outputs).boxes} == {"person", "car"}


def test_suppression_agrees_with_opencv() -> None:
    import cv2

    rng = np.random.default_rng(5)
    corners = rng.uniform(0, 60, (200, 2))
    corners = np.concatenate([corners, corners + rng.uniform(5, 40, (200, 2))], -1)
    scores = np.sort(rng.uniform(0.1, 1, 200))[::-1]
    found = Candidates(corners, scores, np.zeros(200, np.intp), np.empty((200, 0, 2)))
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], -1)
    expected = cv2.dnn.NMSBoxes(sides.tolist(), scores.tolist(), 0.0, 0.4)
    assert suppress(found, 0.4).tolist() == np.asarray(expected).ravel().tolist()


def test_a_score_threshold_of_0_ends_in_time(tmp_path: Path) -> None:
    outputs = {name: np.zeros_like(value) for name, value in yolo_outputs().items()}
    assert (
        len(boxes_of(yolo(tmp_path, score_threshold=0.0, iou_threshold=1.0), outputs).boxes) == 2 * 8 + 2 * 32
    )


def test_yolov3_names_the_shape_it_needs(tmp_path: Path) -> None:
    outputs = yolo_outputs() | {"b": np.zeros((1, 21, 4, 8), np.float32)}
    with pytest.raises(ContractError, match=r"output 'b'.*need \[1, 14, H, W\]"):
        yolo(tmp_path).decode(outputs, GEOMETRY)


def test_boxes_need_the_geometry_of_their_sample(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="'meta'"):
        yolo(tmp_path).decode(yolo_outputs())


SQUARE = Geometry(original_hw=(256, 256), input_hw=(128, 128), scale=(0.5, 0.5), offset=(0.0, 0.0))


def blaze(folder: Path, **changes: Any) -> LoadedContract:
    inputs = [image(size=[128, 128], resize="letterbox", layout="nhwc")]
    return loaded(folder, "face-detection", inputs, BLAZE | changes, ("face",))


def blaze_outputs() -> Outputs:
    scores = {"s1": np.full((1, 512, 1), -20, np.float32), "s2": np.full((1, 384, 1), -20, np.float32)}
    return scores | {"b1": np.zeros((1, 512, 16), np.float32), "b2": np.zeros((1, 384, 16), np.float32)}


def test_blazeface_places_boxes_and_points_by_cell(tmp_path: Path) -> None:
    outputs = blaze_outputs()
    place = (3 * 16 + 5) * 2  # row 3, column 5 of the fine grid: centre (44, 28)
    outputs["s1"][0, place] = 2.0
    outputs["b1"][0, place] = [4, -8, 20, 10, *(1, 2) * 6]  # centre (48, 20), 20 x 10, points at (45, 30)
    (box,) = boxes_of(blaze(tmp_path), outputs, SQUARE).boxes
    assert box.score == pytest.approx(1 / (1 + math.exp(-2)))
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((76, 30, 116, 50))
    assert box.points == ((90.0, 60.0),) * 6
    assert json.loads(boxes_of(blaze(tmp_path), outputs, SQUARE).to_json())["boxes"][0]["points"][0] == [
        90,
        60,
    ]


def test_blazeface_s_coarse_grid_has_six_anchors_a_cell(tmp_path: Path) -> None:
    outputs = blaze_outputs()
    place = (1 * 8 + 2) * 6 + 5  # row 1, column 2: centre (40, 24)
    outputs["s2"][0, place] = 2.0
    outputs["b2"][0, place, 2:4] = 16
    (box,) = boxes_of(blaze(tmp_path), outputs, SQUARE).boxes
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((64, 32, 96, 64))


def test_blazeface_blends_overlapping_boxes_by_score(tmp_path: Path) -> None:
    outputs = blaze_outputs()
    for anchor, (score, shift) in enumerate([(0.9, 0.0), (0.6, 2.0)]):
        outputs["s1"][0, 100 + anchor] = math.log(score / (1 - score))
        outputs["b1"][0, 100 + anchor, :4] = [shift, 0, 40, 40]
    (box,) = boxes_of(blaze(tmp_path, iou_threshold=0.3), outputs, SQUARE).boxes
    assert box.score == pytest.approx(0.9)
    # place 100 is cell 50, column 2: centre 20 in the input, and the second box is 2 to the right
    assert (box.left + box.right) / 2 == pytest.approx(2 * (20 + 2.0 * 0.6 / 1.5))


def test_blazeface_names_the_shape_it_needs(tmp_path: Path) -> None:
    outputs = blaze_outputs() | {"b2": np.zeros((1, 512, 16), np.float32)}
    with pytest.raises(ContractError, match=r"output 'b2'.*needs \[1, 384, 16\]"):
        blaze(tmp_path).decode(outputs, SQUARE)
