"""Events of things that go known ways over a scene; pictures are 200 wide and 100 high."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from edgekit.camera.happenings import SceneWatch
from edgekit.camera.scene import Scene
from edgekit.contracts import Box

SIZE = (200, 100)
DOOR = {"name": "door", "points": [[0.25, 0.5], [0.75, 0.5]]}  # y = 50 from x = 50 to x = 150
DESK = {
    "name": "desk",
    "points": [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]],
    "dwell_s": 2,
}  # the lower right quarter


def box(x: float, y: float, label: str = "person") -> Box:
    """20 high: 1 pixel is its margin; it stands at (x, y)."""
    return Box(index=0, label=label, score=0.9, left=x - 5, top=y - 20, right=x + 5, bottom=y)


def walk(
    watch: SceneWatch, ways: dict[int, Sequence[tuple[float, float] | None]], *, label: str = "person"
) -> list[dict[str, Any]]:
    """The events of tracks that are at these spots in one frame after the other, 2 a second; None: not seen."""
    found = []
    for frame in range(max(map(len, ways.values()))):
        at = {track: way[frame] for track, way in ways.items() if frame < len(way)}
        seen = [(track, box(*spot, label)) for track, spot in at.items() if spot]
        found += [{"at": frame / 2, **event.facts()} for event in watch.update(seen, SIZE, frame / 2)]
    return found


def watch(**scene: Any) -> SceneWatch:
    return SceneWatch(Scene.model_validate(scene))


def test_a_line_is_crossed_in_and_out() -> None:
    seen = watch(lines=[DOOR])
    found = walk(seen, {1: [(100, 30), (100, 48), (100, 60)], 2: [(80, 70), (80, 20)]})
    assert found == [
        {"at": 0.5, "event": "crossed", "place": "door", "track": 2, "label": "person", "direction": "out"},
        {"at": 1.0, "event": "crossed", "place": "door", "track": 1, "label": "person", "direction": "in"},
    ]
    assert seen.counts() == {"door": {"in": 1, "out": 1}}


@pytest.mark.parametrize(
    "way",
    [
        [(20, 30), (20, 70)],  # beyond its end
        [(160, 70), (170, 20)],
        [
            (100, 30),
            (100, 49),
            (100, 50.5),
            (100, 49.5),
            (100, 50.9),
            (100, 30),
        ],  # trembles on it and goes back
        [(100, 30), (40, 45), (40, 70), (100, 70)],  # goes around it
    ],
)
def test_what_does_not_cross_a_line(way: list[tuple[float, float]]) -> None:
    assert walk(watch(lines=[DOOR]), {1: way}) == []


def test_a_line_is_crossed_once_by_what_trembles_on_it() -> None:
    way = [(100, 30), (100, 50.5), (100, 49.5), (100, 52), (100, 50.5), (100, 49.5), (100, 70)]
    assert len(walk(watch(lines=[DOOR]), {1: way})) == 1


def test_a_visit() -> None:
    seen = watch(zones=[DESK])
    way = [
        (80, 70),
        (99, 70),
        (100.5, 70),
        (120, 70),
        (130, 70),
        (140, 70),
        (140, 70),
        (140, 70),
        (99.5, 70),
        (90, 70),
    ]
    assert [(event["at"], event["event"], event.get("seconds")) for event in walk(seen, {7: way})] == [
        (1.5, "entered", None),
        (3.5, "dwelt", 2.0),  # once
        (4.5, "left", 3.0),
    ]
    assert seen.counts() == {"desk": {"entered": 1, "left": 1, "dwelt": 1, "inside": 0}}


def test_what_is_lost_inside_left_when_it_was_seen_last() -> None:
    seen = watch(zones=[DESK])
    found = walk(seen, {3: [(150, 80), (150, 80), None, (150, 80), None, None, None, None]})
    assert [(event["at"], event["event"], event.get("seconds")) for event in found] == [
        (0.0, "entered", None),  # it was there when the picture began
        (3.0, "left", 1.5),  # once a second has gone by without it
    ]


def test_who_is_inside_is_counted() -> None:
    seen = watch(zones=[DESK])
    walk(seen, {1: [(150, 80)] * 2, 2: [(150, 80), (20, 20)], 3: [(20, 20), (150, 80)]})
    assert seen.counts() == {"desk": {"entered": 3, "left": 1, "dwelt": 0, "inside": 2}}


def test_a_place_is_about_its_labels_only() -> None:
    seen = watch(lines=[{**DOOR, "labels": ["car"]}], zones=[{**DESK, "labels": ["person"]}])
    found = walk(seen, {1: [(120, 30), (120, 80)]}, label="car")
    assert [event["place"] for event in found] == ["door"]
