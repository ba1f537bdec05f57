"""Files of lines and zones, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.camera.scene import read_scene
from edgekit.errors import CameraError

GOOD = """
[[lines]]
name = "door"
points = [[0.1, 0.5], [0.9, 0.5]]
labels = ["person"]

[[zones]]
name = "desk"
points = [[0, 0], [1, 0], [1, 1]]
dwell_s = 2.5
"""


def test_a_scene_is_read(tmp_path: Path) -> None:
    (tmp_path / "scene.toml").write_text(GOOD)
    scene = read_scene(tmp_path / "scene.toml")
    assert (scene.lines[0].points, scene.lines[0].labels) == (((0.1, 0.5), (0.9, 0.5)), ("person",))
    assert (scene.zones[0].name, scene.zones[0].dwell_s) == ("desk", 2.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("0.9", "1.9"), "lines.0.points.1.0: input should be less than or equal to 1"),
        (GOOD.replace("[1, 0], ", ""), "zones.0.points: tuple should have at least 3 items"),
        (GOOD.replace("0.9", "0.1"), "lines.0: both points are the same"),
        (GOOD.replace("desk", "door"), "two places are named 'door'"),
        (GOOD.replace("dwell_s", "dwel_s"), "zones.0.dwel_s: unknown key; did you mean 'dwell_s'?"),
        ("schema = 1", "neither lines nor zones are in it"),
        ("[[lines", "scene.toml: "),
    ],
)
def test_what_is_wrong_is_said(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "scene.toml").write_text(text)
    with pytest.raises(CameraError) as caught:
        read_scene(tmp_path / "scene.toml")
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "scene.toml"))


def test_an_absent_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"none\.toml: cannot be read: No such file"):
        read_scene(tmp_path / "none.toml")
