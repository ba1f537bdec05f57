"""What is drawn is where the answer says; the frame itself stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.camera.drawing import drawn
from edgekit.contracts import Box, Boxes, Classes, Prediction, ScoredLabel, TextRegion, TextRegions
from edgekit.contracts.types import Image

GRAY = 128


def blank() -> Image:
    return np.full((240, 320, 3), GRAY, np.uint8)


def box(left: float, top: float, right: float, bottom: float) -> Boxes:
    return Boxes((Box(index=0, label="cup", score=0.5, left=left, top=top, right=right, bottom=bottom),))


CASES: dict[str, tuple[Prediction, tuple[int, int], tuple[int, int]]] = {
    # the answer, a pixel (row, column) that is painted, one that is not
    "box": (box(100, 80, 200, 160), (120, 100), (120, 150)),
    "box at the top": (box(100, 0, 200, 160), (5, 110), (120, 150)),
    "box beyond the edge": (box(0, 0, 320, 240), (120, 0), (120, 150)),
    "region": (TextRegions((TextRegion(((50, 50), (90, 50), (90, 70), (50, 70)), 0.9),)), (50, 70), (60, 70)),
    "classes": (Classes((ScoredLabel(0, "espresso", 0.9),)), (10, 20), (200, 200)),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_drawn_where_the_answer_says(case: str) -> None:
    prediction, painted, bare = CASES[case]
    image = blank()
    shown = drawn(image, prediction)
    assert (shown[painted] != GRAY).any()
    assert (shown[bare] == GRAY).all()
    assert (image == GRAY).all()


def test_nothing_found_draws_nothing() -> None:
    assert np.array_equal(drawn(blank(), Boxes(())), blank())
