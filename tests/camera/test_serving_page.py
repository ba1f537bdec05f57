"""The live page in a real browser without a network: what it shows, and a scene drawn with mouse and finger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.camera.scene import Scene, read_scene
from edgekit.camera.serving.access import VARIABLE
from tests.camera.browser import Tab, needs_browser, opened_browser
from tests.camera.bundles import bundle_of
from tests.camera.making import write_clip
from tests.camera.serving import served, wait_for
from tests.camera.test_command import SCENE
from tests.camera.test_serving import face_camera
from tests.conversion import red

pytestmark = [pytest.mark.browser, pytest.mark.network, needs_browser]

DESKTOP, PHONE = (1280, 800), (360, 740)
LIVE = "$('state').dataset.state === 'live'"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened
    # each test's device has gone in the end, and one is given a scene without places
    expected = ("net::ERR_", "status of 422")
    assert [one for one in opened.complaints if not any(part in one for part in expected)] == []


def text(tab: Tab, name: str) -> str:
    return str(tab.evaluate(f"$('{name}').innerText"))


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_page_shows_what_goes_on(blazeface: Path, tab: Tab, tmp_path: Path, phone: bool) -> None:
    (tmp_path / "scene.toml").write_text(SCENE)
    with served(blazeface, face_camera(tmp_path), scene=tmp_path / "scene.toml") as site:
        tab.open(site.url, size=PHONE if phone else DESKTOP, dark=phone, phone=phone)
        tab.wait_for(LIVE)
        tab.wait_for("document.querySelector('#happenings').innerText.includes('crossed door, out')")
        # no more than is there, on each width
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert "288×432" in text(tab, "about")
        assert float(text(tab, "rate")) > 0
        assert text(tab, "age-p50").endswith(" ms")
        assert int(text(tab, "answered").replace("\u202f", "")) <= site.pipeline.put_out
        assert "MiB" in text(tab, "memory")
        assert "entered" in text(tab, "counts")
        assert all(stage in text(tab, "stages") for stage in ("capture", "inference", "output"))
        # the warmest sensor; this machine may have none
        zones = [
            {"zone": 0, "kind": "soc-thermal", "celsius": 40.0},
            {"zone": 1, "kind": "gpu", "celsius": 51.6},
        ]
        shown = "[$('warm-label').innerText, $('warm').innerText, $('warm').checkVisibility()]"
        assert tab.evaluate(f"showWarmth({zones}), {shown}") == ["gpu", "52 °C", True]
        assert tab.evaluate("showWarmth([]), $('warm').checkVisibility()") is False
        shown = "[$('rung').innerText, $('rung').title, $('rung').checkVisibility()]"
        rung = {"number": 2, "way": "net.edgekit, 1 frame in 2"}
        assert tab.evaluate(f"showRung({rung}), {shown}") == ["2", "net.edgekit, 1 frame in 2", True]
        assert tab.evaluate("showRung(null), $('rung').checkVisibility()") is False
        # the picture has the frame's shape and moves
        assert tab.evaluate("[$('frame').width, $('frame').height]") == [288, 432]
        before = tab.evaluate("$('frame').toDataURL()")
        assert len(before) > 10_000
        tab.wait_for(f"$('frame').toDataURL() !== '{before}'")
    tab.wait_for("$('state').dataset.state === 'lost'")


def test_where_nothing_is_followed_nothing_can_be_drawn(blazeface: Path, tab: Tab, tmp_path: Path) -> None:
    drawn = "[$('draw-line').checkVisibility(), $('draw-zone').checkVisibility()]"
    masks = bundle_of(red.write_model(tmp_path), tmp_path / "red.edgekit", red.scene(0))
    write_clip(tmp_path / "walk.avi", [red.scene(index) for index in range(8)] * 40)
    with served(masks, str(tmp_path / "walk.avi")) as site:
        tab.open(site.url, size=DESKTOP)
        tab.wait_for("Number($('answered').innerText) > 0")
        assert tab.evaluate(drawn) == [False, False]
    with served(blazeface, face_camera(tmp_path)) as site:
        tab.open(site.url, size=DESKTOP)
        tab.wait_for("$('draw-line').checkVisibility()")
        assert tab.evaluate(drawn) == [True, True]


def draw_scene(tab: Tab) -> None:
    """A line with the mouse, then a zone with the finger, its last corner taken back once."""
    tab.click("#draw-line")
    tab.click_at("#overlay", 0.25, 0.9)
    tab.click_at("#overlay", 0.75, 0.9)
    tab.click("#turn")
    tab.write("#name", "way in")
    tab.click("#naming button.main")
    tab.click("#draw-zone")
    assert tab.evaluate("$('close-zone').disabled")
    tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
    for x, y in ((0.1, 0.1), (0.9, 0.1), (0.9, 0.8), (0.5, 0.5)):
        tab.tap_at("#overlay", x, y)
    tab.call("Emulation.setTouchEmulationEnabled", enabled=False)
    tab.click("#undo")
    tab.click("#close-zone")
    assert tab.evaluate("$('name').value") == "zone 1"
    tab.write("#labels", "face, cat")
    tab.write("#dwell", "0.4")
    tab.click("#naming button.main")
    tab.wait_for("document.querySelectorAll('#place-list li').length === 2")


def assert_drawn(scene: Scene) -> None:
    (line,), (zone,) = scene.lines, scene.zones
    assert (line.name, line.labels) == ("way in", ())
    assert (zone.name, zone.labels, zone.dwell_s) == ("zone 1", ("face", "cat"), 0.4)
    # a pixel of the smaller side is .3 %
    assert [xy for point in line.points for xy in point] == pytest.approx([0.75, 0.9, 0.25, 0.9], abs=0.01)
    corners = [0.1, 0.1, 0.9, 0.1, 0.9, 0.8]
    assert [xy for point in zone.points for xy in point] == pytest.approx(corners, abs=0.01)


def test_a_scene_is_drawn_and_saved(blazeface: Path, tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "scene.toml"
    with served(blazeface, face_camera(tmp_path), scene=file, edit=True) as site:
        tab.open(site.url, size=DESKTOP)
        tab.wait_for(LIVE)
        draw_scene(tab)
        assert not file.exists()
        tab.click("#save")
        tab.wait_for("$('saved').innerText === 'saved to scene.toml'")
        assert_drawn(read_scene(file))
        tab.wait_for("document.querySelector('#counts').innerText.includes('1 entered')")
        # what another viewer saves is taken over by this one, unless somebody draws here
        known = site.ask("/scene").json()
        del known["scene"]["lines"]
        assert site.ask("/scene/save", known).status == 200
        tab.wait_for("document.querySelectorAll('#place-list li').length === 1")
        # the last one cannot be taken away: a file without any is no scene
        tab.click("#place-list button")
        tab.wait_for("$('problems').innerText.includes('neither lines nor zones')")
        assert tab.evaluate("$('save').disabled")
        tab.click("#revert")
        tab.wait_for("document.querySelectorAll('#place-list li').length === 1")


def test_a_page_that_may_not_save_shows_the_file(
    blazeface: Path, tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """… here with a token, and a picture without anything that is followed."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with served(blazeface, face_camera(tmp_path), serve="0.0.0.0:0") as site:
        token = site.url.partition("?token=")[2]
        tab.open(f"http://127.0.0.1:{site.port}/?token={token}", size=DESKTOP)
        tab.wait_for(LIVE)
        assert tab.evaluate("location.search") == "", "the token does not stay in the address"
        assert tab.evaluate("document.cookie") == "", "nor do scripts see it"
        draw_scene(tab)
        assert not tab.evaluate("$('save').checkVisibility()")
        shown = tab.wait_for("$('text').innerText.includes('dwell_s') && $('text').innerText")
        (tmp_path / "copied.toml").write_text(str(shown))
        assert_drawn(read_scene(tmp_path / "copied.toml"))
        offered = str(tab.evaluate("decodeURIComponent($('download').href)"))
        assert offered.partition(",")[2].strip() == str(shown).strip()
        wait_for(lambda: tab.evaluate("$('rate').innerText !== '–'"))
