"""Bundles are opened from folders and zips; broken manifests are one message with every problem."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from edgekit.bundles import is_bundle, read_bundle
from edgekit.bundles.archive import pack
from edgekit.bundles.read import MANIFEST
from edgekit.bundles.verify import verify_bundle
from edgekit.devices import LocalDevice
from edgekit.errors import BundleError


@pytest.fixture
def zipped(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same bundle as a zip, and an empty cache."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    pack(bundle, tmp_path / "zipped.edgekit")
    return tmp_path / "zipped.edgekit"


def change(bundle: Path, **facts: object) -> None:
    path = bundle / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def test_a_zip_is_the_same_bundle(bundle: Path, zipped: Path) -> None:
    assert read_bundle(zipped).manifest == read_bundle(bundle).manifest
    assert read_bundle(zipped).sha256 == read_bundle(bundle).sha256
    assert verify_bundle(read_bundle(zipped), LocalDevice()).ok


def test_a_zip_is_unpacked_once(zipped: Path) -> None:
    first = read_bundle(zipped).folder
    made = first.stat().st_ctime_ns
    assert read_bundle(zipped).folder == first
    assert first.stat().st_ctime_ns == made


def test_what_somebody_changed_in_the_cache_is_unpacked_again(zipped: Path) -> None:
    folder = read_bundle(zipped).folder
    (folder / "README.txt").write_text("other")
    assert verify_bundle(read_bundle(zipped), LocalDevice()).ok


def test_every_problem_of_a_manifest_is_in_one_message(bundle: Path) -> None:
    change(bundle, targett="host", task="image-clasification", files=[{"path": "a"}])
    with pytest.raises(BundleError) as caught:
        read_bundle(bundle)
    message = str(caught.value)
    assert "targett: unknown key; did you mean 'target'?" in message
    assert "did you mean 'image-classification'?" in message
    assert "files.0.sha256: missing" in message


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000], ids=["empty", "cut", "binary", "deep"]
)
def test_a_manifest_that_is_no_json_is_one_line(bundle: Path, content: bytes) -> None:
    (bundle / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        read_bundle(bundle)


@pytest.mark.parametrize("path", ["../model.onnx", "/etc/passwd", "artifact/../../x"])
def test_paths_of_a_manifest_stay_in_the_bundle(bundle: Path, path: str) -> None:
    artifact = json.loads((bundle / MANIFEST).read_text())["artifact"]
    change(bundle, artifact=artifact | {"path": path})
    with pytest.raises(BundleError, match="points outside the bundle"):
        read_bundle(bundle)


def test_a_link_out_of_the_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    contract = bundle / "contract.toml"
    shutil.move(contract, tmp_path / "contract.toml")
    contract.symlink_to(tmp_path / "contract.toml")
    with pytest.raises(BundleError, match=r"'contract\.toml' points outside the bundle"):
        read_bundle(bundle)


def test_what_is_no_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such bundle"):
        read_bundle(tmp_path / "absent.edgekit")
    with pytest.raises(BundleError, match=r"holds no manifest\.json"):
        read_bundle(tmp_path)
    (tmp_path / "file").write_text("text")
    with pytest.raises(BundleError, match="not a readable zip"):
        read_bundle(tmp_path / "file")
    assert not is_bundle(tmp_path)


def test_a_zip_without_a_manifest_is_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("model.onnx", b"")
    with pytest.raises(BundleError, match=r"holds no manifest\.json"):
        read_bundle(tmp_path / "a.zip")
