"""Tiny packages that the real clients accept, for tests without a network."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from edgekit.models.zoo.schema import Package


def make_wheel(folder: Path, name: str, files: Mapping[str, bytes], version: str = "1.0") -> Path:
    """A wheel with these files beside its metadata."""
    info = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_record_hash(data)},{len(data)}\n" for path, data in contents.items())
    contents[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path), data)  # dated 1980: the same bytes each time
    return wheel


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


_BACKEND = """
import pathlib

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder) / "{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return info.name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise RuntimeError("nobody asked for a wheel")
"""


def make_sdist(folder: Path, name: str, files: Mapping[str, bytes], version: str = "1.0") -> Path:
    """A source archive that brings its own build backend, so that pip needs nothing more to read its metadata."""
    root = f"{name}-{version}"
    project = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    contents = {
        **files,
        "pyproject.toml": project,
        "backend.py": _BACKEND.format(name=name, version=version).encode(),
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
    }
    sdist = folder / f"{root}.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for path, data in contents.items():
            entry = tarfile.TarInfo(f"{root}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return sdist


def package_of(file: Path, members: Mapping[str, str], **more: object) -> Package:
    """What a zoo file says of ``file``."""
    name = file.name.split("-")[0]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    facts = {"registry": "pypi", "name": name, "version": "1.0", "sha256": digest, "members": dict(members)}
    return Package.model_validate({**facts, **more})


def look_only_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """pip finds packages in ``folder`` and nowhere else."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
