"""Arrays from .npz files, one sample each: input name -> array, batch dimension included."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from edgekit.contracts.types import Tensor
from edgekit.data.samples import Sample
from edgekit.errors import DataError


def array_samples(path: Path) -> tuple[Sample, ...]:
    """Every .npz file of the folder ``path`` (or the one file), by name."""
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.suffix == ".npz")
    if not files or any(file.suffix != ".npz" for file in files):
        raise DataError(f"{path}: the model takes arrays; give a folder of .npz files, one a sample")
    return tuple(Sample(file.name, partial(read_arrays, file)) for file in files)


def read_arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of one .npz file; pickled objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no readable .npz file: {error}") from None


def write_arrays(path: Path, arrays: Mapping[str, Tensor]) -> None:
    """Write an .npz file, equal for equal arrays. ``np.savez`` cannot: an array named ``file`` is its argument."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in arrays.items():
            # a plain ZipInfo is dated 1980
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(value, order="C"), allow_pickle=False)


def unreadable(path: Path) -> str | None:
    """Why ``path`` is no .npz file; None where its directory is sound."""
    return None if zipfile.is_zipfile(path) else f"{path}: no .npz file, or cut short"
