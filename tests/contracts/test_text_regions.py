"""Text regions from probability maps that were drawn by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edgekit.contracts import Geometry, LoadedContract, TextRegions
from edgekit.errors import ContractError
from tests.contracts.making import image, loaded

PLAIN = Geometry(original_hw=(160, 320), input_hw=(160, 320), scale=(1.0, 1.0), offset=(0.0, 0.0))
Map = npt.NDArray[np.float32]


def detector(folder: Path, **changes: Any) -> LoadedContract:
    output = {"kind": "text-regions", "name": "y", **changes}
    return loaded(folder, "text-detection", [image(size=[160, 320])], output)


def drawn(*rectangles: tuple[tuple[float, float], tuple[float, float], float], value: float = 0.9) -> Map:
    score_map = np.zeros((160, 320), np.float32)
    for rectangle in rectangles:
        cv2.fillPoly(score_map, [np.round(cv2.boxPoints(rectangle)).astype(np.int32)], value)
    return score_map


def regions(contract: LoadedContract, score_map: Map, geometry: Geometry = PLAIN) -> TextRegions:
    answer = contract.decode({"y": score_map[None, None]}, geometry)
    assert isinstance(answer, TextRegions)
    return answer


def test_a_region_is_enlarged_by_its_area_over_its_perimeter(tmp_path: Path) -> None:
    score_map = np.zeros((160, 320), np.float32)
    score_map[60:81, 100:201] = 0.9  # corners of the contour: 100 x 20 between pixel centres
    (region,) = regions(detector(tmp_path, unclip_ratio=1.5), score_map).regions
    grown = 100 * 20 * 1.5 / 240
    expected = [
        [100 - grown, 60 - grown],
        [200 + grown, 60 - grown],
        [200 + grown, 80 + grown],
        [100 - grown, 80 + grown],
    ]
    np.testing.assert_allclose(region.corners, expected, atol=1e-3)
    assert region.score == pytest.approx(0.9)


@pytest.mark.parametrize("angle", [-30.0, 20.0, 44.0])
def test_a_rotated_region_keeps_its_angle_and_starts_top_left(tmp_path: Path, angle: float) -> None:
    (region,) = regions(detector(tmp_path), drawn(((160, 80), (120, 20), angle))).regions
    top_left, top_right, bottom_right, _ = np.asarray(region.corners)
    # drawn with whole pixels: one pixel across 120 is half a degree
    assert np.degrees(np.arctan2(*(top_right - top_left)[::-1])) == pytest.approx(angle, abs=1.5)
    assert np.linalg.norm(top_right - top_left) > np.linalg.norm(bottom_right - top_right)


def test_thresholds(tmp_path: Path) -> None:
    weak = drawn(((160, 80), (120, 20), 0.0), value=0.4)
    assert not regions(detector(tmp_path), weak).regions
    assert len(regions(detector(tmp_path, box_threshold=0.3), weak).regions) == 1
    assert not regions(detector(tmp_path, threshold=0.5, box_threshold=0.3), weak).regions


def test_specks_are_no_text(tmp_path: Path) -> None:
    score_map = np.zeros((160, 320), np.float32)
    score_map[10:12, 10:200] = 1.0
    assert not regions(detector(tmp_path), score_map).regions
    assert regions(detector(tmp_path), np.zeros((160, 320), np.float32)).to_json() == '{"regions":[]}'


def test_a_map_full_of_text_is_one_region_inside_the_image(tmp_path: Path) -> None:
    (region,) = regions(detector(tmp_path), np.ones((160, 320), np.float32)).regions
    assert region.corners == ((0.0, 0.0), (320.0, 0.0), (320.0, 160.0), (0.0, 160.0))


def test_regions_come_top_to_bottom(tmp_path: Path) -> None:
    score_map = drawn(((250, 120), (60, 20), 0.0), ((60, 120), (60, 20), 0.0), ((200, 30), (60, 20), 0.0))
    starts = [region.corners[0] for region in regions(detector(tmp_path), score_map).regions]
    assert starts == sorted(starts, key=lambda corner: (corner[1], corner[0]))
    assert len(starts) == 3


def test_corners_are_on_the_original_image(tmp_path: Path) -> None:
    score_map = drawn(((160, 80), (100, 20), 0.0))
    plain = np.asarray(regions(detector(tmp_path), score_map).regions[0].corners)
    letterboxed = Geometry(original_hw=(300, 600), input_hw=(160, 320), scale=(0.5, 0.5), offset=(10.0, 40.0))
    (moved,) = regions(detector(tmp_path), score_map, letterboxed).regions
    np.testing.assert_allclose(moved.corners, (plain - (10, 40)) / 0.5, atol=1e-4)
    halved = Geometry(original_hw=(320, 640), input_hw=(320, 640), scale=(1.0, 1.0), offset=(0.0, 0.0))
    (small_map,) = regions(detector(tmp_path), score_map, halved).regions
    np.testing.assert_allclose(small_map.corners, plain * 2, atol=1e-4)


def test_what_is_no_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"a map is \[1, 1, H, W\]"):
        detector(tmp_path).decode({"y": np.zeros((1, 2, 8, 8), np.float32)}, PLAIN)
