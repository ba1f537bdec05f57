"""What differs first, where, and both values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.camera.events import difference, event_line, read_events
from edgekit.camera.frames import Frame
from edgekit.camera.pipeline import Result
from edgekit.camera.synthetic import draw_scene
from edgekit.contracts import Box, Boxes
from edgekit.errors import CameraError

BOX = Box(index=1, label="cup", score=0.61239, left=1.04, top=2.06, right=30.0, bottom=40.0)


def line(*boxes: Box, frame: int = 3) -> str:
    taken = Frame(image=draw_scene((32, 32), 0), index=frame, time_ms=100 / 3, captured_s=1.0)
    return event_line(Result(taken, Boxes(boxes)))


def moved(*, left: float, score: float = BOX.score) -> Box:
    return replace(BOX, left=left, score=score)


def test_the_line_is_canonical() -> None:
    assert line(BOX) == (
        '{"boxes":[{"box":[1.0,2.1,30.0,40.0],"index":1,"label":"cup","score":0.612}],"frame":3,"time_ms":33.333}'
    )


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        (line(BOX), line(BOX), None),
        (line(BOX), line(moved(left=5.0)), "frame 3: boxes[0].box[0]: 5.0 found, 1.0 expected"),
        (
            line(BOX),
            line(moved(left=5.0, score=0.5)),
            "frame 3: boxes[0].box[0]: 5.0 found, 1.0 expected (and 1 more)",
        ),
        (line(BOX), line(), "frame 3: boxes: 0 found, 1 expected"),
        (line(BOX, frame=4), line(BOX), "frame 3: frame: 3 found, 4 expected"),
        (line(BOX), None, "frame 3: expected, but the clip ended"),
        (None, line(BOX), "frame 3: not expected"),
        (line(BOX).replace(",", ", "), line(BOX), "frame 3: the text of the line alone"),
        ('{"frame":3}', line(BOX), "frame 3: boxes: [{"),
    ],
)
def test_the_first_difference_is_told(expected: str | None, found: str | None, told: str | None) -> None:
    said = difference(expected, found)
    assert said == told if told is None else said and said.startswith(told)


@pytest.mark.parametrize("content", ["{}\n", "no json\n", '{"frame":0}\n[]\n', '{"frame":"0"}\n'])
def test_a_line_that_is_no_event_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "events.jsonl").write_text(content)
    with pytest.raises(CameraError, match=r"events\.jsonl: line [12]: no event of a frame"):
        read_events(tmp_path / "events.jsonl")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"none\.jsonl: cannot be read"):
        read_events(tmp_path / "none.jsonl")
