"""Width and height of an image from its header, without decoding it; and whether its end is there.

A cut file is told here before anything is decoded (``cv2.imread`` makes of a cut JPEG an image with a grey rest
and no error), and so is a small file that unfolds to more memory than there is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

MAX_PIXELS = 128_000_000
"""A bigger image is refused: 108-megapixel cameras exist, 384 MB is what this one decodes to."""

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""The image files that are read, in any letter case."""

_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_size(data: bytes) -> tuple[int, int]:
    """Height and width in pixels as stored (before EXIF orientation).

    ValueError says in a few words why ``data`` cannot be used: unknown format, cut short, too big.
    """
    if not data:
        raise ValueError("the file is empty")
    reader = next((read for magic, read in _READERS.items() if data.startswith(magic)), None)
    if reader is None:
        raise ValueError("not a JPEG, PNG, BMP, WebP, TIFF, PGM or PPM file")
    try:
        height, width = reader(data)
    except (struct.error, IndexError):
        raise ValueError("cut short") from None
    if height <= 0 or width <= 0:
        raise ValueError(f"its header says {width} x {height} pixels")
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"{width} x {height} pixels are more than the {MAX_PIXELS // 1_000_000} million allowed"
        )
    return height, width


def _jpeg(data: bytes) -> tuple[int, int]:
    size, place = None, 2
    while True:
        marker, length = struct.unpack_from(">xBH", data, place)
        if data[place] != 0xFF:
            raise ValueError("damaged JPEG header")
        if marker == 0xFF or marker in _JPEG_WITHOUT_LENGTH:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _JPEG_FRAMES:
            size = struct.unpack_from(">HH", data, place + 5)
        place += 2 + length
        if marker == 0xDA:  # the scan: inside it 0xFF is followed by 0x00 or a restart marker
            break
    if data.find(b"\xff\xd9", place) < 0:
        raise ValueError("cut short")
    if size is None:
        raise ValueError("damaged JPEG header")
    return int(size[0]), int(size[1])


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    place = 8
    while data[place + 4 : place + 8] != b"IEND":
        (length,) = struct.unpack_from(">I", data, place)
        place += 12 + length
    return height, width


def _bmp(data: bytes) -> tuple[int, int]:
    pixels, header_size, width, height, _, bits = struct.unpack_from("<10xIIiiHH", data)
    if header_size == 12:
        width, height, _, bits = struct.unpack_from("<4H", data, 18)
    compression = 0 if header_size == 12 else struct.unpack_from("<I", data, 30)[0]
    row_bytes = (bits * width + 31) // 32 * 4
    if len(data) < pixels + (1 if compression else row_bytes * abs(height)):
        raise ValueError("cut short")
    return abs(height), width


def _webp(data: bytes) -> tuple[int, int]:
    (riff_size,) = struct.unpack_from("<I", data, 4)
    if data[8:12] != b"WEBP":
        raise ValueError("a RIFF file, but no WebP image")
    if len(data) < riff_size + 8:
        raise ValueError("cut short")
    match data[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return height & 0x3FFF, width & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
        case _:  # VP8X: 24-bit sizes
            width, height = (int.from_bytes(data[place : place + 3], "little") + 1 for place in (24, 27))
            return height, width


def _tiff(data: bytes) -> tuple[int, int]:
    order = "<" if data[:2] == b"II" else ">"
    (place,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, place)
    sizes = {}
    for entry in range(place + 2, place + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (256, 257):
            (sizes[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    if len(sizes) < 2:
        raise ValueError("damaged TIFF header")
    return int(sizes[257]), int(sizes[256])


def _netpbm(data: bytes) -> tuple[int, int]:
    fields: list[int] = []
    for line in data[:1024].split(b"\n"):
        fields += [int(word) for word in line.split(b"#")[0].split() if word.isdigit()]
        if len(fields) >= 3:
            return _whole_netpbm(data, *fields[:3])
    raise ValueError("damaged PGM or PPM header")


def _whole_netpbm(data: bytes, width: int, height: int, largest: int) -> tuple[int, int]:
    channels, is_binary = 3 if data[1:2] in b"36" else 1, data[1:2] in b"56"
    # as text every value takes a digit and a space
    bytes_per_value = (2 if largest > 255 else 1) if is_binary else 2
    if len(data) < width * height * channels * bytes_per_value:
        raise ValueError("cut short")
    return height, width


_READERS: dict[bytes, Callable[[bytes], tuple[int, int]]] = {
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"BM": _bmp,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
    b"P2": _netpbm,
    b"P3": _netpbm,
    b"P5": _netpbm,
    b"P6": _netpbm,
}
