"""Frames of a video are samples: the right ones, in any order, and nothing of a damaged one is made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.camera.clips import Clip
from edgekit.contracts import LoadedContract
from edgekit.data import open_samples
from edgekit.errors import DataError
from tests.camera.making import scenes, write_clip
from tests.contracts.making import loaded


@pytest.fixture
def contract(tmp_path: Path) -> LoadedContract:
    return loaded(tmp_path / "contract")


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_frames_are_those_that_a_camera_would_see(
    contract: LoadedContract, suffix: str, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", scenes(12))
    samples = open_samples(path, contract)
    assert len(samples) == 12
    assert not samples.labelled
    assert samples[3].id == f"clip{suffix}, frame 3"
    frames = [frame.image for frame in iter(Clip(path).read, None)]
    for index in (0, 7, 8, 3, 11, 11):  # forwards, backwards and again
        np.testing.assert_array_equal(samples[index].load(), frames[index])


def test_a_few_are_spread_over_all(contract: LoadedContract, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", scenes(12))
    assert [sample.id for sample in open_samples(path, contract, 3)] == [
        f"clip.avi, frame {index}" for index in (2, 6, 10)
    ]


def test_a_file_without_frames_is_said(contract: LoadedContract, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video at all")
    with pytest.raises(DataError, match=r"clip\.mp4: no video that can be read"):
        open_samples(tmp_path / "clip.mp4", contract)


def test_what_is_cut_off_gives_the_frames_that_are_there(contract: LoadedContract, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", scenes(12))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    samples = open_samples(path, contract)
    assert 3 <= len(samples) < 12
    np.testing.assert_array_equal(np.asarray(samples[0].load()).shape, (120, 160, 3))
