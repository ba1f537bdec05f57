"""Read and write .npz files, whatever the arrays are named."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .failure import RunnerError
from .sessions import Array


def read_npz(path: Path) -> dict[str, Array]:
    """Every array of the file by name; RunnerError where it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunnerError(f"{path}: cannot be read: {error}") from error


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Like ``numpy.savez``, which cannot take an array that is named ``file``."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)
