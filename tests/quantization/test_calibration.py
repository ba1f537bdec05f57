"""Samples in files: one at a time, and evenly spaced parts of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.quantization.calibration import FEWEST_FITTED, CalibrationFiles, Feeds
from tests.graphs import write_samples


def files(folder: Path, count: int) -> CalibrationFiles:
    return CalibrationFiles(
        write_samples([{"x": np.array([place])} for place in range(count)], folder / "samples")
    )


def numbers(samples: list[Feeds]) -> list[int]:
    return [int(sample["x"][0]) for sample in samples]


def test_in_the_order_of_their_names(tmp_path: Path) -> None:
    opened = files(tmp_path, 12)
    assert len(opened) == 12
    assert numbers(list(opened)) == list(range(12))
    assert numbers(list(opened)) == list(range(12))  # and again


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 32, 33, 48, 100])
def test_parts_are_spread_and_share_nothing(tmp_path: Path, count: int) -> None:
    fit, test = map(numbers, files(tmp_path, count).spread(32))
    assert not set(fit) & set(test)
    assert len(set(fit)) == len(fit) <= 32
    assert len(set(test)) == len(test) <= 16
    if count > FEWEST_FITTED:
        assert fit[0] == 0
        assert fit[-1] == count - 1
        assert test
        assert len(fit) >= FEWEST_FITTED
    else:
        assert (len(fit), test) == (count, [])
    if count == 100:
        assert len(fit) == 32
        assert max(np.diff(fit)) - min(np.diff(fit)) <= 1


def test_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no calibration sample in"):
        CalibrationFiles(tmp_path)
