"""Zips: the same bytes from the same files, and nothing hostile is unpacked."""

from __future__ import annotations

import os
import random
import stat
import zipfile
from pathlib import Path

import pytest

from edgekit.bundles.archive import MAX_FILES, pack, unpack
from edgekit.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "artifact").mkdir(parents=True)
    (made / "artifact" / "model.onnx").write_bytes(bytes(range(256)) * 64)
    (made / "manifest.json").write_text("{}")
    return made


def write_entry(archive: Path, name: str, content: bytes = b"x", mode: int = 0o644) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        opened.writestr(info, content, zipfile.ZIP_DEFLATED)


def test_pack_and_unpack_keep_every_byte(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "a.edgekit")
    unpack(tmp_path / "a.edgekit", tmp_path / "again")
    for path in folder.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_times_and_modes_do_not_change_the_archive(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "a.zip")
    os.utime(folder / "manifest.json", (1, 1))
    (folder / "manifest.json").chmod(0o600)
    pack(folder, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize(
    "name", ["../outside", "a/../../outside", "/etc/outside", "a\\..\\outside", "C:/outside"]
)
def test_paths_that_point_outside_are_refused(name: str, tmp_path: Path) -> None:
    write_entry(tmp_path / "bad.zip", name)
    with pytest.raises(BundleError, match="points outside the bundle"):
        unpack(tmp_path / "bad.zip", tmp_path / "out")
    assert not list(tmp_path.rglob("*outside*"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(kind: int, tmp_path: Path) -> None:
    write_entry(tmp_path / "bad.zip", "link", b"/etc/passwd", mode=kind | 0o777)
    with pytest.raises(BundleError, match="link or device"):
        unpack(tmp_path / "bad.zip", tmp_path / "out")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    write_entry(tmp_path / "bomb.zip", "zeros", bytes(80 * 2**20))
    with pytest.raises(BundleError, match="zip bomb"):
        unpack(tmp_path / "bomb.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as opened:
        for number in range(MAX_FILES + 1):
            opened.writestr(str(number), b"")
    with pytest.raises(BundleError, match=f"at most {MAX_FILES}"):
        unpack(tmp_path / "many.zip", tmp_path / "out")


def test_an_entry_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    write_entry(tmp_path / "twice.zip", "model")
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_entry(tmp_path / "twice.zip", "model", b"other")
    with pytest.raises(BundleError, match="occurs twice"):
        unpack(tmp_path / "twice.zip", tmp_path / "out")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 cut", random.Random(0).randbytes(999)], ids=["empty", "cut", "random"]
)
def test_what_is_no_zip_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(content)
    with pytest.raises(BundleError, match=r"no\.zip: not a readable zip"):
        unpack(tmp_path / "no.zip", tmp_path / "out")


def test_a_damaged_entry_is_one_line(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "a.zip")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[80:90] = bytes(10)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(BundleError, match=r"a\.zip"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_names_that_collide_with_a_folder_are_refused(tmp_path: Path) -> None:
    write_entry(tmp_path / "clash.zip", "a")
    write_entry(tmp_path / "clash.zip", "a/b")
    with pytest.raises(BundleError, match=r"clash\.zip"):
        unpack(tmp_path / "clash.zip", tmp_path / "out")
