"""Hashes of files and of what a bundle holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgekit.bundles.manifest import FileEntry


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entries(folder: Path, *, without: Iterable[str] = ()) -> tuple[FileEntry, ...]:
    """Every regular file below ``folder``, in order of its path; symlinks are no files of a bundle."""
    left_out = set(without)
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and name not in left_out:
            found.append(FileEntry(path=name, sha256=sha256_of(path), size_bytes=path.stat().st_size))
    return tuple(found)


def tree_sha256(files: Sequence[FileEntry]) -> str:
    """One digest of several files: a single file's own, else over the sorted lines ``<sha256>  <path>``."""
    if len(files) == 1:
        return files[0].sha256
    lines = "".join(
        f"{entry.sha256}  {entry.path}\n" for entry in sorted(files, key=lambda entry: entry.path)
    )
    return hashlib.sha256(lines.encode()).hexdigest()
