"""Calibration samples in files, read one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Feeds = dict[str, Array]

FEWEST_FITTED = 8
"""Samples below which a fit says more about them than about the model."""


class CalibrationFiles:
    """Samples in the order of their files' names; each is read when it is asked for, and not kept."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*.npz"))
        if not self._files:
            raise ValueError(f"no calibration sample in {folder}")

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Feeds]:
        return map(_read, self._files)

    def spread(self, count: int) -> tuple[list[Feeds], list[Feeds]]:
        """Up to ``count`` samples from all over the set to fit on, and at most half as many others to test on.

        A quarter of a small set is kept back for the test, where ``FEWEST_FITTED`` remain: a fit judged by its own
        samples always seems to help. Neighbours are often alike (crops of one photograph, frames of one film), so
        both are evenly spaced.
        """
        count = min(count, max(FEWEST_FITTED, len(self) - len(self) // 4), len(self))
        places = np.linspace(0, len(self) - 1, count).astype(int)
        rest = sorted(set(range(len(self))) - set(places.tolist()))
        others = np.linspace(0, len(rest) - 1, min(count // 2, len(rest))).astype(int)
        fit = [_read(self._files[place]) for place in places]
        return fit, [_read(self._files[rest[place]]) for place in others]


def _read(path: Path) -> Feeds:
    with np.load(path) as arrays:
        return dict(arrays)
