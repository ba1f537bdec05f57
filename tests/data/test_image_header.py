"""Sizes from the headers that OpenCV writes, and files that were cut, faked or blown up."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from edgekit.data.image_header import MAX_PIXELS, SUFFIXES, image_size
from tests.contracts.making import picture
from tests.data.making import encoded

FORMATS = sorted(SUFFIXES)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_size_is_read_from_the_header(suffix: str) -> None:
    assert image_size(encoded(suffix, picture(37, 53))) == (37, 53)


def test_both_kinds_of_webp() -> None:
    for quality in (80, 101):  # 101 is lossless: another chunk
        content = cv2.imencode(".webp", picture(37, 53), [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        assert image_size(content) == (37, 53)
    with_alpha = np.dstack([picture(37, 53), np.full((37, 53), 9, np.uint8)])
    assert image_size(encoded(".webp", with_alpha)) == (37, 53)


def test_progressive_jpeg_and_its_trailer() -> None:
    content = cv2.imencode(".jpg", picture(37, 53), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert image_size(content) == (37, 53)
    assert image_size(content + b"what a phone appends") == (37, 53)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("part", [3, 7, 20])
def test_a_beginning_alone_is_refused(suffix: str, part: int) -> None:
    with pytest.raises(ValueError, match=r"cut short|damaged|not a JPEG|RIFF|header says"):
        image_size(encoded(suffix, picture(37, 53))[:part])


@pytest.mark.parametrize("suffix", sorted(SUFFIXES - {".tif", ".tiff"}))
def test_a_missing_end_is_noticed_although_the_header_is_there(suffix: str) -> None:
    content = encoded(suffix, picture(200, 300))
    with pytest.raises(ValueError, match="cut short"):
        image_size(content[: len(content) * 9 // 10])


def test_a_thumbnail_s_end_is_not_the_picture_s() -> None:
    content = encoded(".jpg", picture(200, 300))
    thumbnail = encoded(".jpg", picture(8, 8))
    with_thumbnail = (
        content[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail + content[2:]
    )
    assert image_size(with_thumbnail) == (200, 300)
    with pytest.raises(ValueError, match="cut short"):
        image_size(with_thumbnail[:-500])


def test_decompression_bombs_are_refused_unopened() -> None:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0, 0)
    with pytest.raises(
        ValueError, match=f"60000 x 60000 pixels are more than the {MAX_PIXELS // 1_000_000} million"
    ):
        image_size(header + struct.pack(">I4sI", 0, b"IEND", 0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<html>", "not a JPEG"),
        (bytes(1000), "not a JPEG"),
        (b"BM" + bytes(60), "0 x 0 pixels"),
        (b"II*\0" + b"\xff" * 100, "cut short"),
        (b"P6\n# only a comment", "damaged"),
        (b"\xff\xd8\xff\xe0\x00\x00" + bytes(100), "damaged"),
    ],
)
def test_fakes_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image_size(content)


def test_random_bytes_end_in_an_answer_or_a_refusal() -> None:
    rng = np.random.default_rng(3)
    for suffix in FORMATS:
        start = encoded(suffix, picture(9, 9))[:64]
        for _ in range(200):
            noise = bytearray(start + rng.bytes(200))
            noise[int(rng.integers(4, 60))] = int(rng.integers(0, 256))
            try:
                height, width = image_size(bytes(noise))
            except ValueError:
                continue
            assert 0 < height * width <= MAX_PIXELS
