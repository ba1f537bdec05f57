"""Keep a raw sample as a file and read it back, as a bundle's golden pair does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit.contracts.types import Raw
from edgekit.data.arrays import read_arrays, write_arrays
from edgekit.data.images import is_image, read_image
from edgekit.data.text_files import read_text_file
from edgekit.errors import DataError


def write_raw(raw: Raw, folder: Path, stem: str) -> Path:
    """Write ``raw`` without loss to ``<stem>.png``, ``.txt`` or ``.npz`` in ``folder``; return the path."""
    if isinstance(raw, str):
        path = folder / f"{stem}.txt"
        path.write_bytes(raw.encode())
        return path
    if isinstance(raw, Mapping):
        path = folder / f"{stem}.npz"
        write_arrays(path, raw)
        return path
    import cv2

    path = folder / f"{stem}.png"
    path.write_bytes(cv2.imencode(".png", np.ascontiguousarray(raw))[1].tobytes())
    return path


def read_raw(path: Path) -> Raw:
    """What ``write_raw`` wrote; DataError where it cannot be read."""
    if is_image(path):
        return read_image(path)
    match path.suffix:
        case ".txt":
            return read_text_file(path)
        case ".npz":
            return read_arrays(path)
    raise DataError(f"{path}: neither an image, nor a .txt or .npz file")
