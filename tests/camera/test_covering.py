"""What is covered stays covered while a detector blinks, and where it has gone meanwhile."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.camera.covering import HOLD_FRAMES, HOLD_S, Area, Memory, cover
from edgekit.errors import CameraError

FPS = 20


def face(x: float, y: float = 50, side: float = 40) -> Area:
    return Area("face", x, y, x + side, y + side)


def within(inner: Area, outer: Area) -> bool:
    return (
        outer.left <= inner.left
        and outer.top <= inner.top
        and outer.right >= inner.right
        and outer.bottom >= inner.bottom
    )


def test_it_is_filled_to_the_pixel_and_nothing_else() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    before = image.copy()
    cover(image, [Area("face", 10.4, 20.6, 30.2, 40.1)])
    region = image[20:41, 10:31]
    assert (region == region[0, 0]).all()
    image[20:41, 10:31] = before[20:41, 10:31]
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ("area", "covered"),
    [
        (Area("face", -20, -20, 5, 5), 25),
        (Area("face", 70, 50, 900, 900), 100),
        (Area("face", -50, -50, -10, -10), 0),
        (Area("face", 200, 200, 300, 300), 0),
        (Area("face", 30, 30, 20, 20), 0),
    ],
)
def test_what_sticks_out_is_cut_off(area: Area, covered: int) -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    cover(image, [area])
    assert np.count_nonzero(image[:, :, 0]) == covered


@pytest.mark.parametrize("side", [math.nan, math.inf])
def test_no_place_is_an_error_and_not_nothing(side: float) -> None:
    with pytest.raises(CameraError, match="a face was found at no place"):
        cover(np.zeros((60, 80, 3), np.uint8), [Area("face", 1, 2, side, 4)])


def test_a_face_that_is_lost_stays_covered_on_its_way_and_not_for_ever() -> None:
    """It moves at 3 pixels a frame, one and a half of its widths a second, and is found again nowhere."""
    memory = Memory()
    for i in range(10):
        assert len(memory.update([face(3 * i)], i / FPS)) == 1
    lost = [memory.update([], i / FPS) for i in range(10, 40)]
    held = [areas for areas in lost if areas]
    assert len(held) == round(HOLD_S * FPS)
    for i, (area,) in enumerate(held, 10):
        assert within(face(3 * i), area), f"frame {i}"  # had it gone on
        assert within(face(27), area), f"frame {i}"  # had it stopped


def test_found_again_it_is_one_area_of_its_own_size() -> None:
    memory = Memory()
    for i in range(10):
        memory.update([face(3 * i)] if i not in (6, 7) else [], i / FPS)
    assert memory.update([face(30)], 10 / FPS) == (face(30),)


def test_who_passes_another_does_not_uncover_them() -> None:
    memory = Memory()
    memory.update([face(50), face(60)], 0)
    areas = memory.update([face(58)], 1 / FPS)
    assert len(areas) == 2
    assert any(within(face(50), area) for area in areas)
    assert any(within(face(58), area) for area in areas)


def test_a_person_does_not_take_the_place_of_a_face() -> None:
    memory = Memory()
    memory.update([face(50)], 0)
    areas = memory.update([Area("person", 50, 50, 90, 90)], 1 / FPS)
    assert sorted(area.label for area in areas) == ["face", "person"]


def test_where_frames_are_seconds_apart_it_holds_for_some_frames() -> None:
    memory = Memory()
    memory.update([face(50)], 0)
    lengths = [len(memory.update([], 5.0 * i)) for i in range(1, 7)]
    assert lengths == [1] * HOLD_FRAMES + [0] * (6 - HOLD_FRAMES)
