"""A scene that is drawn on the page: checked, shown as a file, saved, and taken over by what runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.camera.analysis import Analyst
from edgekit.camera.frames import Frame
from edgekit.camera.scene import Line, Scene, Zone, read_scene
from edgekit.camera.serving.scene_desk import scene_text
from edgekit.camera.synthetic import draw_scene
from edgekit.contracts import Box, Boxes
from edgekit.strict import read_record
from tests.camera.serving import served, wait_for
from tests.camera.test_serving import face_camera

DOOR = Line(name="door", points=((0.5, 1), (0.5, 0)))
ALL = Zone(name='"all", ü', points=((0, 0), (1, 0), (1, 1), (0, 1)), labels=("face", "car"), dwell_s=0.25)
LEFT = Zone(name="left", points=((0, 0), (0.4, 0), (0.4, 1), (0, 1)))


def drawn(*places: Line | Zone) -> dict[str, Any]:
    """What the page sends."""
    of = {kind: [place.model_dump(mode="json", exclude_defaults=True) for place in places if isinstance(place, cls)]
          for kind, cls in (("lines", Line), ("zones", Zone))}  # fmt: skip
    return {kind: some for kind, some in of.items() if some}


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_what_is_written_is_what_was_drawn(tmp_path: Path, suffix: str) -> None:
    scene = Scene(lines=(DOOR,), zones=(ALL, LEFT))
    path = tmp_path / f"scene{suffix}"
    path.write_text(scene_text(scene, suffix), encoding="utf-8")
    assert read_scene(path) == scene
    assert "schema" not in path.read_text(), "what need not be said is not"


@pytest.mark.network
def test_a_saved_scene_holds_from_the_next_frame_and_keeps_the_tracks(
    blazeface: Path, tmp_path: Path
) -> None:
    file, link = tmp_path / "kept.toml", tmp_path / "scene.toml"
    file.write_text(scene_text(Scene(lines=(DOOR,), zones=(LEFT,)), ".toml"))
    link.symlink_to(file)
    with served(blazeface, face_camera(tmp_path), scene=link, edit=True) as site:
        wait_for(lambda: site.ask("/facts").json()["counts"]["door"]["out"])
        known = site.ask("/scene").json()
        assert known["scene"] == drawn(DOOR, LEFT)
        before = site.ask("/facts").json()
        reply = site.ask("/scene/save", {"scene": drawn(DOOR, ALL), "version": known["version"]})
        assert (reply.status, reply.json()["scene"]) == (200, drawn(DOOR, ALL))
        wait_for(lambda: site.ask("/facts").json()["counts"].get(ALL.name, {}).get("dwelt"))
        after = site.ask("/facts").json()
    assert read_scene(file) == Scene(lines=(DOOR,), zones=(ALL,))
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face.mp4", "kept.toml", "scene.toml"]
    # the line that stayed goes on counting, the zone that went is gone
    assert after["counts"].keys() == {"door", ALL.name}
    assert after["counts"]["door"]["out"] >= before["counts"]["door"]["out"] >= 1
    # who entered the new zone is who crossed the line before it was there
    entered = next(item for item in reversed(after["happenings"]) if item["place"] == ALL.name)
    assert entered["event"] == "entered"
    assert entered["track"] == before["happenings"][0]["track"]


@pytest.mark.network
def test_the_first_scene_is_drawn_on_the_page(blazeface: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.json"
    with served(blazeface, face_camera(tmp_path), scene=file, edit=True) as site:
        known = site.ask("/scene").json()
        assert (known["scene"], known["file"]) == (None, "new.json")
        reply = site.ask("/scene/save", {"scene": drawn(ALL), "version": known["version"]})
        assert reply.status == 200, reply.body
        wait_for(lambda: site.ask("/facts").json()["counts"].get(ALL.name, {}).get("entered"))
        # what another page or an editor wrote meanwhile is not lost
        late = site.ask("/scene/save", {"scene": drawn(DOOR), "version": known["version"]})
        assert (late.status, "another page" in late.json()["problems"][0]) == (409, True)
        file.write_text(json.dumps(drawn(LEFT)))
        late = site.ask("/scene/save", {"scene": drawn(DOOR), "version": reply.json()["version"]})
        assert (late.status, "another program" in late.json()["problems"][0]) == (409, True)
    assert read_record(file, Scene)[0] == Scene(zones=(LEFT,))


@pytest.mark.network
def test_a_folder_that_has_gone_is_said(blazeface: Path, tmp_path: Path) -> None:
    file = tmp_path / "gone/scene.toml"
    with served(blazeface, face_camera(tmp_path), scene=file, edit=True) as site:
        reply = site.ask(
            "/scene/save", {"scene": drawn(DOOR), "version": site.ask("/scene").json()["version"]}
        )
    problem = "scene.toml: cannot be written: No such file or directory"
    assert (reply.status, reply.json()) == (500, {"problems": [problem]})


def test_a_page_that_may_not_edit_shows_the_file(classifier: Path) -> None:
    with served(classifier, "synthetic:64x64@20") as site:
        assert site.ask("/scene").json() == {"scene": None, "drawable": False, "file": None, "version": ""}
        reply = site.ask("/scene/check", {"scene": drawn(DOOR, ALL)})
        assert reply.json() == {"text": scene_text(Scene(lines=(DOOR,), zones=(ALL,)), ".toml")}
        reply = site.ask("/scene/save", {"scene": drawn(DOOR), "version": ""})
        assert reply.status == 403
        assert "read-only" in reply.json()["problems"][0]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 60_000, "no JSON"),
        (b"[]", "no object with a scene"),
        (b"{}", "scene: "),
        (b'{"scene": {}}', "neither lines nor zones are in it"),
        (b'{"scene": {"lines": [{"name": "a", "points": [[0, 0], [2, 0]]}]}}', "lines.0.points.1.0: input should be less"),
        (b'{"scene": {"lines": [{"name": "a", "points": [[0, 0], [NaN, 0]]}]}}', "NaN is no number"),
        (b'{"scene": {"lines": [{"name": "a", "points": [[0, 0], [0, 0]]}]}}', "both points are the same"),
        (b'{"scene": {"zones": [{"name": "a", "points": [[0, 0], [1, 1]]}]}}', "at least 3"),
        (b'{"scene": {"zone": []}}', "zone: unknown key; did you mean 'zones'?"),
    ],
)  # fmt: skip
def test_what_is_no_scene_is_said(classifier: Path, body: bytes, problem: str) -> None:
    with served(classifier, "synthetic:64x64@20") as site:
        reply = site.ask("/scene/check", body)
    assert reply.status == 422
    assert problem in " ".join(reply.json()["problems"])


def test_a_place_that_stays_keeps_who_is_in_it() -> None:
    """Ten frames a second; a box moves to the right, out of the left zone and over the door."""
    analyst = Analyst(Scene(lines=(DOOR,), zones=(LEFT,)))
    told = []
    for index in range(12):
        if index == 4:
            analyst.scene = Scene(lines=(DOOR,), zones=(ALL, LEFT))
        left = 20 + 40 * index
        box = Box(index=0, label="car", score=0.9, left=left, top=100, right=left + 60, bottom=200)
        frame = Frame(image=draw_scene((600, 300), 0), index=index, time_ms=100 * index, captured_s=0)
        analysis = analyst.analyse(frame, Boxes((box,)))
        told += [(index, item.event, item.place) for item in analysis.happenings]
    assert told == [
        (1, "entered", "left"),
        (4, "entered", ALL.name),
        (5, "left", "left"),
        (7, "crossed", "door"),
        (7, "dwelt", ALL.name),
    ]
