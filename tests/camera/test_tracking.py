"""The same thing keeps its number, from boxes that move as real ones do."""

from __future__ import annotations

import importlib.util

import pytest

from edgekit.camera.tracking import LOST_S, Tracker
from edgekit.contracts import Box
from edgekit.errors import CameraError


def box(x: float, y: float = 50, score: float = 0.9) -> Box:
    return Box(index=0, label="person", score=score, left=x, top=y, right=x + 20, bottom=y + 40)


def test_two_that_pass_each_other_keep_their_numbers() -> None:
    tracker = Tracker()
    found = [tracker.numbers([box(4 * i, 50), box(200 - 4 * i, 90)], i / 25) for i in range(40)]
    assert found[0] == (None, None)
    assert set(found[2:]) == {found[-1]}
    assert len(set(found[-1])) == 2


def test_the_order_of_boxes_does_not_matter() -> None:
    tracker = Tracker()
    pairs = [[box(i, 50), box(200 - i, 150)] for i in range(6)]
    found = [
        tracker.numbers(pair[:: 1 if i % 2 else -1], i / 25)[:: 1 if i % 2 else -1]
        for i, pair in enumerate(pairs)
    ]
    assert set(found[2:]) == {found[-1]}
    assert None not in found[-1]


@pytest.mark.parametrize(("pause_s", "same"), [(LOST_S * 0.6, True), (LOST_S * 1.5, False)])
def test_what_comes_back_soon_is_the_same(pause_s: float, same: bool) -> None:
    """Frames in between were dropped, or show nothing: either way it is time that counts."""
    tracker = Tracker()
    for i in range(10):
        (before,) = tracker.numbers([box(100)], i / 25)
    assert tracker.numbers([], 10 / 25) == ()
    for i in range(3):
        (after,) = tracker.numbers([box(100)], 10 / 25 + pause_s + i / 25)
    assert before is not None
    assert (after == before) is same


def test_what_is_seen_badly_goes_on_but_begins_nothing() -> None:
    tracker = Tracker()
    for i in range(5):
        numbers = tracker.numbers([box(100), box(300, score=0.2)], i / 25)
    assert numbers[0] is not None
    assert numbers[1] is None
    for i in range(5, 9):
        assert tracker.numbers([box(100, score=0.2)], i / 25) == (numbers[0],)


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        CameraError, match=r"needs the package trackers; pip install 'edgekit-toolchain\[tracking\]'"
    ):
        Tracker()
