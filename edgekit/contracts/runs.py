"""Maps of class indices as runs of equal values, down each column, as COCO counts them; and COCO's text of one class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int16]
"""[width, height], column after column; -1 where no class is known."""
UNKNOWN = -1


def pack(columns: Indices) -> bytes:
    """Each run as two little-endian int32: class, length."""
    flat = columns.ravel()
    starts = (
        np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1]) if flat.size else np.empty(0, int)
    )
    lengths = np.diff(starts, append=flat.size)
    return np.stack([flat[starts], lengths], -1).astype("<i4").tobytes()


def unpack(runs: bytes, size_wh: tuple[int, int]) -> Indices:
    """What ``pack`` was given."""
    classes, lengths = _pairs(runs)
    return np.repeat(classes.astype(np.int16), lengths).reshape(size_wh)


def lengths_by_class(runs: bytes) -> dict[int, int]:
    """Elements of each class that is there, by class."""
    classes, lengths = _pairs(runs)
    return {int(index): int(lengths[classes == index].sum()) for index in np.unique(classes)}


def coco_counts(runs: bytes, index: int) -> str:
    """COCO's compressed counts of one class: lengths of runs without and with it in turn, the first without.

    Each is written as its difference to the one two before, five bits a character from 48 on, lowest first, the bit
    of 32 saying that more follow: ``rleToString`` of github.com/cocodataset/cocoapi, ``common/maskApi.c``.
    """
    counts = _counts(runs, index)
    values = counts.copy()
    values[3:] -= counts[1:-2]
    characters, there = [], []
    alive = np.ones(len(values), bool)
    while alive.any():
        low = values & 0x1F
        values >>= 5  # arithmetic: what is negative goes to -1
        more = np.where(low & 0x10, values != -1, values != 0)
        characters.append((low | (more << 5)) + 48)
        there.append(alive.copy())
        alive &= more
    return bytes(np.stack(characters, -1)[np.stack(there, -1)].astype(np.uint8)).decode("ascii")


def _counts(runs: bytes, index: int) -> npt.NDArray[np.int64]:
    classes, lengths = _pairs(runs)
    inside = classes == index
    # neighbouring runs of other classes are one run without it
    starts = np.concatenate([[0], np.flatnonzero(inside[1:] != inside[:-1]) + 1])
    counts = np.add.reduceat(lengths.astype(np.int64), starts)
    return np.concatenate([[0], counts]) if inside[0] else counts


def _pairs(runs: bytes) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    pairs = np.frombuffer(runs, "<i4").reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
