"""Write .npz files whose arrays may have any name, with the same bytes from the same arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write ``arrays`` in order of their names; ``numpy.savez`` takes no array called ``file``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(arrays[name]), allow_pickle=False)


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read every array; ValueError (or OSError) where the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as opened:
            return {name: opened[name] for name in opened.files}
    except (zipfile.BadZipFile, EOFError, AttributeError) as error:  # AttributeError: a lone .npy array
        raise ValueError(f"{path}: not a readable .npz: {error}") from error
