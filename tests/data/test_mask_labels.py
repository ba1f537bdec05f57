"""Masks beside images: gray levels are classes, and what is no such file is said with its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgekit.contracts import Mask
from edgekit.data import open_samples
from edgekit.errors import DataError
from tests.data.making import classifier, photos, segmentation

Levels = np.ndarray[Any, Any]


def write_mask(path: Path, levels: Levels) -> None:
    assert cv2.imwrite(str(path), levels)


def levels(height: int = 10) -> Levels:
    found = np.zeros((height, 20), np.uint8)
    found[2:5, 4:12] = 1
    found[5] = 255
    return found


def test_levels_are_classes_and_masks_are_no_samples(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png", "sub/b.jpg"])  # 10 x 20 and 11 x 20
    write_mask(data / "a.mask.png", levels())
    write_mask(data / "sub" / "b.mask.png", np.zeros((11, 20), np.uint8))
    samples = open_samples(data, segmentation(tmp_path))
    assert [sample.id for sample in samples] == ["a.png", "sub/b.jpg"]
    assert samples.labelled
    first, second = samples.labels
    assert isinstance(first, Mask)
    assert isinstance(second, Mask)
    expected = levels().astype(np.int16)
    expected[5] = -1
    np.testing.assert_array_equal(first.indices, expected)
    assert second.size_hw == (11, 20)
    # a study of tuning knows its labels by their text: the same pixels, the same text, and no other
    (again, _) = open_samples(data, segmentation(tmp_path)).labels
    assert (again, repr(again)) == (first, repr(first))
    write_mask(data / "a.mask.png", levels() | (np.arange(200).reshape(10, 20) == 0).astype(np.uint8))
    (other, _) = open_samples(data, segmentation(tmp_path)).labels
    assert repr(other) != repr(first)


def test_without_masks_there_are_no_labels(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png", "b.png"])
    samples = open_samples(data, segmentation(tmp_path))
    assert len(samples) == 2
    assert not samples.labelled


def test_to_other_tasks_such_a_file_is_an_image(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png"])
    write_mask(data / "a.mask.png", levels())
    assert len(open_samples(data, classifier(tmp_path))) == 2


WRONG: dict[str, tuple[Levels | bytes, str]] = {
    "size": (levels(11), "a.mask.png: has 20 x 11 pixels, 'a.png' has 20 x 10"),
    "level": (
        levels() * 2 % 253,
        "a.mask.png: holds the level 2; levels are indices of the contract's 2 labels, or 255",
    ),
    "colours": (np.dstack([levels()] * 3), "a.mask.png: needs one 8-bit gray level a pixel"),
    "16 bit": (levels().astype(np.uint16), "a.mask.png: needs one 8-bit gray level a pixel"),
    "no image": (b"mask", "a.mask.png: "),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mask_that_cannot_be_one_is_named(tmp_path: Path, name: str) -> None:
    content, words = WRONG[name]
    data = photos(tmp_path / "data", ["a.png"])
    if isinstance(content, bytes):
        (data / "a.mask.png").write_bytes(content)
    else:
        write_mask(data / "a.mask.png", content)
    with pytest.raises(DataError) as refusal:
        open_samples(data, segmentation(tmp_path))
    assert words in str(refusal.value)


def test_an_image_without_a_mask_is_named_where_others_have_one(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png", "b.png"])
    write_mask(data / "a.mask.png", levels())
    with pytest.raises(
        DataError, match=r"1 images have no mask, while others have one:\n  no 'b\.mask\.png'"
    ):
        open_samples(data, segmentation(tmp_path))
