"""Pixels as OpenCV's colour mode gives them, whatever the file holds."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.data.images import find_images, read_image
from edgekit.errors import DataError
from tests.contracts.making import picture
from tests.data.making import encoded, photos


def read(
    folder: Path, content: bytes, suffix: str = ".png"
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    path = folder / f"image{suffix}"
    path.write_bytes(content)
    return read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_colour_is_bgr(tmp_path: Path, suffix: str) -> None:
    np.testing.assert_array_equal(read(tmp_path, encoded(suffix, picture()), suffix), picture())


def test_gray_becomes_colour(tmp_path: Path) -> None:
    gray = picture()[:, :, 0]
    np.testing.assert_array_equal(read(tmp_path, encoded(".png", gray)), np.dstack([gray] * 3))


def test_16_bit_keeps_the_upper_8(tmp_path: Path) -> None:
    deep = picture().astype(np.uint16) * 256 + 200
    np.testing.assert_array_equal(read(tmp_path, encoded(".png", deep)), picture())


def test_alpha_is_dropped(tmp_path: Path) -> None:
    with_alpha = np.dstack([picture(), np.zeros((40, 60), np.uint8)])
    np.testing.assert_array_equal(read(tmp_path, encoded(".png", with_alpha)), picture())


def test_exif_orientation_turns_the_image_upright(tmp_path: Path) -> None:
    jpeg = encoded(".jpg", picture(40, 60))
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)  # 6: turn right to see it upright
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + tag + bytes(4)
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + jpeg[2:]
    upright = np.rot90(read(tmp_path, jpeg, ".jpg"), -1)
    np.testing.assert_array_equal(read(tmp_path, turned, ".jpg"), upright)


def test_damage_behind_a_sound_header_is_an_error(tmp_path: Path) -> None:
    content = bytearray(encoded(".png", picture()))
    content[60:200] = bytes(140)
    with pytest.raises(DataError, match=r"image\.png: "):
        read(tmp_path, bytes(content))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_image(tmp_path / "none.png")


def test_images_are_found_in_the_order_of_their_names(tmp_path: Path) -> None:
    photos(tmp_path, ["b.JPG".lower(), "a/z.png", "a.png", ".hidden.png", ".cache/c.png"])
    (tmp_path / "LICENSE.txt").touch()
    (tmp_path / "UP.PNG").write_bytes(encoded(".png", picture()))
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["UP.PNG", "a.png", "a/z.png", "b.jpg"]


def test_an_image_of_another_format_is_not_passed_over(tmp_path: Path) -> None:
    photos(tmp_path, ["a.png"])
    (tmp_path / "b.heic").touch()
    with pytest.raises(DataError, match=r"b\.heic: \.heic images are not read"):
        find_images(tmp_path)


def test_cv2_reads_what_the_suffixes_promise() -> None:
    from edgekit.data.image_header import SUFFIXES

    assert all(cv2.haveImageWriter(f"x{suffix}") for suffix in SUFFIXES)
