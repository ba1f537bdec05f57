"""Read Fashion-MNIST from its IDX files, as Zalando and Debian's ``dataset-fashion-mnist`` ship them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
LABELS = tuple((Path(__file__).parent / "labels.txt").read_text().splitlines())

Bytes = npt.NDArray[np.uint8]


def read_idx(path: Path) -> Bytes:
    """Read one IDX file of unsigned bytes, gzipped or not.

    Raises:
        ValueError: the file is something else.
    """
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    if raw[:3] != b"\x00\x00\x08":  # two zero bytes, then the type code of unsigned bytes
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    sizes = np.frombuffer(raw, ">i4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, -1, 4 + 4 * len(sizes)).reshape(sizes)


def load(folder: Path, part: str) -> tuple[Bytes, Bytes]:
    """Images [N, 28, 28] and labels [N] of ``part``: ``train`` (60,000) or ``t10k`` (10,000).

    Raises:
        FileNotFoundError: ``folder`` has no such files.
    """
    return _read(folder, f"{part}-images-idx3-ubyte"), _read(folder, f"{part}-labels-idx1-ubyte")


def _read(folder: Path, name: str) -> Bytes:
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if not found:
        raise FileNotFoundError(
            f"no {name}[.gz] in {folder}; apt-get install dataset-fashion-mnist, or --data FOLDER"
        )
    return read_idx(found[0])
