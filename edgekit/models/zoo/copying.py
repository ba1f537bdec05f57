"""Copy a fetched model's folder out of the cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit.errors import ModelError
from edgekit.models.zoo.packages import file_sha256
from edgekit.staging import move_into_place, staging_folder


def copy_out(folder: Path, out: Path) -> Path:
    """Copy ``folder`` to ``out``/<its name>, whole or not at all; a copy that is there already is left alone.

    ModelError where something else is in the way, or ``out`` cannot be written.
    """
    final = out / folder.name
    if final.exists():
        if _same(final, folder):
            return final
        raise ModelError(f"{final}: exists and is not this model; remove it, or give another folder with -o")
    try:
        with staging_folder(out) as staging:
            copied = staging / folder.name
            shutil.copytree(folder, copied)
            move_into_place(copied, final)
    except OSError as error:
        raise ModelError(f"{error.filename or out}: {error.strerror}; give another folder with -o") from error
    return final


def _same(copy: Path, folder: Path) -> bool:
    """Whether ``copy`` was made from this very folder: its list of hashes is the same."""
    theirs = copy / "origin.json"
    return theirs.is_file() and file_sha256(theirs) == file_sha256(folder / "origin.json")
