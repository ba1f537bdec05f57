"""What is drawn is where the answer says; the frame itself stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.camera.analysis import Analysis
from edgekit.camera.drawing import drawn
from edgekit.camera.frames import Frame
from edgekit.camera.pipeline import Result
from edgekit.camera.scene import Scene
from edgekit.contracts import (
    Box,
    Boxes,
    Classes,
    Keypoint,
    Mask,
    Pose,
    Poses,
    Prediction,
    ScoredLabel,
    TextRegion,
    TextRegions,
)
from edgekit.contracts.types import Image

GRAY = 128


def blank() -> Image:
    return np.full((240, 320, 3), GRAY, np.uint8)


def result(prediction: Prediction, analysis: Analysis | None = None) -> Result:
    return Result(Frame(image=blank(), index=0, time_ms=0, captured_s=0), prediction, analysis)


def box(left: float, top: float, right: float, bottom: float) -> Boxes:
    return Boxes((Box(index=0, label="cup", score=0.5, left=left, top=top, right=right, bottom=bottom),))


def body(*, hand_seen: bool = True) -> Pose:
    """A line from (100, 60) to (200, 60), and from there one to a hand at (200, 200)."""
    hand = Keypoint("hand", 200, 200, 0.9 if hand_seen else 0.4)
    points = (Keypoint("head", 100, 60, 0.9), Keypoint("elbow", 200, 60, 0.9), hand)
    return Pose(points, 0.9, (("head", "elbow"), ("elbow", "hand")))


CASES: dict[str, tuple[Prediction, tuple[int, int], tuple[int, int]]] = {
    # the answer, a pixel (row, column) that is painted, one that is not
    "box": (box(100, 80, 200, 160), (120, 100), (120, 150)),
    "box at the top": (box(100, 0, 200, 160), (5, 110), (120, 150)),
    "box beyond the edge": (box(0, 0, 320, 240), (120, 0), (120, 150)),
    "region": (TextRegions((TextRegion(((50, 50), (90, 50), (90, 70), (50, 70)), 0.9),)), (50, 70), (60, 70)),
    "pose": (Poses((body(),)), (60, 150), (130, 150)),
    "bone": (Poses((body(),)), (130, 200), (130, 150)),
    "pose of a box": (Boxes((replace(box(90, 40, 290, 220).boxes[0], pose=body()),)), (130, 200), (130, 150)),
    "classes": (Classes((ScoredLabel(0, "espresso", 0.9),)), (10, 20), (200, 200)),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_drawn_where_the_answer_says(case: str) -> None:
    prediction, painted, bare = CASES[case]
    given = result(prediction)
    shown = drawn(given)
    assert (shown[painted] != GRAY).any()
    assert (shown[bare] == GRAY).all()
    assert (given.frame.image == GRAY).all()


@pytest.mark.parametrize("nothing", [Boxes(()), Poses(())])
def test_nothing_found_draws_nothing(nothing: Prediction) -> None:
    assert np.array_equal(drawn(result(nothing)), blank())


def test_what_is_hidden_is_not_drawn() -> None:
    """Neither the point nor the line to it; the others stay."""
    shown = drawn(result(Poses((body(hand_seen=False),))))
    assert (shown[60, 150] != GRAY).any()
    assert (shown[130, 200] == GRAY).all()
    assert (shown[200, 200] == GRAY).all()


def test_a_point_beyond_the_frame_draws_its_line_up_to_the_edge() -> None:
    pose = Pose((Keypoint("hip", 100, 200, 0.9), Keypoint("foot", 100, 500, 0.9)), 0.9, (("hip", "foot"),))
    shown = drawn(result(Poses((pose,))))
    assert (shown[239, 100] != GRAY).any()


def mask(background: int | None = 0) -> Mask:
    """Sky above, a road on its left below, nothing known on the lowest row."""
    indices = np.zeros((240, 320), np.int16)
    indices[120:, :100] = 1
    indices[120:, 200:] = 2
    indices[239] = -1
    return Mask.of(np.ascontiguousarray(indices.T), ("sky", "road", "car"), background)


def test_each_pixel_of_a_mask_is_half_its_colour() -> None:
    given = result(mask())
    shown = drawn(given)
    green, blue = (52, 168, 83), (234, 67, 53)  # BGR
    for colour, columns in ((green, slice(0, 100)), (blue, slice(200, 320))):
        half = (np.array(colour) + GRAY) / 2
        assert np.abs(shown[120:239, columns] - half).max() <= 0.5
    assert (shown[120:239, 100:200] == GRAY).all()
    assert (shown[239] == GRAY).all()
    assert (shown[60:120] == GRAY).all()
    # the shares stand above
    assert (shown[:60] != GRAY).any()
    assert (given.frame.image == GRAY).all()


def test_without_a_background_every_class_has_a_colour() -> None:
    shown = drawn(result(mask(background=None)))
    assert (shown[100:239] != GRAY).any(axis=2).all()
    assert np.abs(shown[100, 150] - (np.array((66, 133, 244)) + GRAY) / 2).max() <= 0.5


def test_lines_and_zones_are_drawn_with_their_counts() -> None:
    scene = Scene.model_validate(
        {
            "lines": [{"name": "door", "points": [[0.25, 0.5], [0.75, 0.5]]}],
            "zones": [{"name": "desk", "points": [[0.5, 0.75], [0.9, 0.75], [0.9, 1], [0.5, 1]]}],
        }
    )
    counts = {"door": {"in": 1, "out": 0}, "desk": {"entered": 2, "left": 1, "dwelt": 0, "inside": 1}}
    shown = drawn(result(Boxes(()), Analysis((), (), scene, counts)))
    assert (shown[120, 170] != GRAY).any()  # the line's middle
    assert (shown[200, 288] != GRAY).any()  # the zone's right side
    assert (shown[210, 220] == GRAY).all()  # within the zone
    more = {**counts, "door": {"in": 2, "out": 0}}
    assert not np.array_equal(shown, drawn(result(Boxes(()), Analysis((), (), scene, more))))
