"""Hashes of files and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class FileDigest:
    """One file of a folder."""

    path: str
    """Relative to the folder, with slashes."""
    sha256: str
    size_bytes: int


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path, *, without: Iterable[str] = ()) -> tuple[FileDigest, ...]:
    """Every regular file below ``folder`` but those named, sorted by path; symlinks are passed over."""
    left_out = set(without)
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and name not in left_out:
            found.append(FileDigest(name, sha256_of(path), path.stat().st_size))
    return tuple(sorted(found))


def tree_sha256(files: Sequence[FileDigest]) -> str:
    """One digest of several files: a single file's own, else over the sorted lines ``<sha256>  <path>``."""
    if len(files) == 1:
        return files[0].sha256
    lines = "".join(f"{file.sha256}  {file.path}\n" for file in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()
