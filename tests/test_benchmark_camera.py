"""A peer of ``benchmarks/camera.py`` that leaves frames out is not given a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.camera import cut
from benchmarks.camera_peers import check_whole


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return cut([np.full((48, 64, 3), 40 * index, np.uint8) for index in range(5)], tmp_path / "clip.avi")


def test_every_frame_in_order_is_the_whole_clip(clip: Path) -> None:
    check_whole([1, 2, 3, 4, 5], clip)


@pytest.mark.parametrize("shown", [[], [1, 2, 3, 4], [1, 2, 4, 5], [1, 3, 2, 4, 5], [1, 2, 3, 4, 5, 5]])
def test_frames_left_out_or_out_of_order_are_refused(clip: Path, shown: list[int]) -> None:
    with pytest.raises(SystemExit, match=rf"clip.avi: the peer showed {len(shown)} of 5 frames"):
        check_whole(shown, clip)
