"""The project's files before the user's before the bundled ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.catalog import check, load_catalog
from edgekit.catalog.files import bundled_folder, user_folder
from edgekit.errors import CatalogError
from tests.catalog.sample_files import write_board, write_converter, write_profile, write_target


def test_bundled_files_are_there_in_an_empty_folder(project: Path) -> None:
    catalog = load_catalog()
    assert {place.origin for place in catalog.places.values()} == {"bundled"}
    assert "raspberry-pi-4" in catalog.targets


def test_nearer_files_hide_farther_ones(project: Path, user: Path) -> None:
    write_board(user, "raspberry-pi-4")
    assert load_catalog().target("raspberry-pi-4").summary == "For tests"
    assert load_catalog().places["targets", "raspberry-pi-4"].origin == "user"
    write_board(project, "raspberry-pi-4")
    place = load_catalog().places["targets", "raspberry-pi-4"]
    assert place.origin == "project"
    assert place.path == project / "targets" / "raspberry-pi-4.toml"
    assert load_catalog().target("raspberry-pi-5").summary != "For tests"


def test_a_hidden_file_is_not_read(project: Path, user: Path) -> None:
    write_target(user, "board", arch="")
    write_board(project, "board")
    load_catalog()
    (project / "targets" / "board.toml").unlink()
    with pytest.raises(CatalogError, match=str(user)):
        load_catalog()


def test_a_converter_of_the_project_brings_its_own_folder(project: Path) -> None:
    write_converter(project, "tool")
    catalog = load_catalog()
    assert catalog.converter_dir("tool") == project / "converters" / "tool"
    assert catalog.converter_dir("openvino") == bundled_folder() / "converters" / "openvino"


def test_in_a_checkout_its_files_are_the_bundled_ones(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundled_folder())
    assert {place.origin for place in load_catalog().places.values()} == {"bundled"}


def test_users_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert user_folder() == Path("/elsewhere/edgekit")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert user_folder() == Path.home() / ".config" / "edgekit"


def test_given_files_come_first(project: Path, tmp_path: Path) -> None:
    write_board(project, "board")
    aside = write_target(tmp_path / "aside", "board", threads="threads = 99")
    write_profile(tmp_path / "aside", "board")
    files, problems = check({"targets": [aside]})
    assert aside in files
    assert problems == (f"{aside}: threads: more than the 2 cores of profile 'board'",)


def test_other_files_in_the_folders_are_left_alone(project: Path) -> None:
    write_board(project, "board")
    (project / "targets" / "README.md").write_text("# Ours")
    (project / "converters" / "notes").mkdir(parents=True)
    assert check()[1] == ()


@pytest.mark.parametrize(
    ("kind", "wanted", "hint"),
    [
        ("target", "raspberypi-4", "did you mean 'raspberry-pi-4'? Try: edgekit targets ls"),
        ("profile", "rk3558", "did you mean 'rk3588'? Try: edgekit profiles ls"),
        ("converter", "open-vino", "did you mean 'openvino'? Try: edgekit converters ls"),
        ("target", "zzz", "there is no target 'zzz'. Try: edgekit targets ls"),
    ],
)
def test_unknown_ids_name_the_near_miss(project: Path, kind: str, wanted: str, hint: str) -> None:
    with pytest.raises(CatalogError) as raised:
        getattr(load_catalog(), kind)(wanted)
    assert hint in str(raised.value)
