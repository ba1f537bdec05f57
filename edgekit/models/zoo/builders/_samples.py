"""Samples made from a few free photographs and from drawn text: the same pixels every time.

``calib/`` is for choosing ranges, ``eval/`` for judging; they share no image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from edgekit.errors import DataError

Image = npt.NDArray[np.uint8]
Rect = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""
PHOTO = "photo_"
_QUALITY = 92
_PNG = b"\x89PNG\r\n\x1a\n"


class Crop(NamedTuple):
    """A square part: side as a share of the photograph's short side, position as a share of what is left."""

    side: float
    x: float
    y: float


_CALIB_CROPS = (
    Crop(1.0, 0.5, 0.5), Crop(0.85, 0.0, 0.1), Crop(0.85, 1.0, 0.9), Crop(0.7, 0.2, 0.0), Crop(0.7, 0.8, 0.3),
    Crop(0.7, 0.45, 0.7), Crop(0.55, 0.6, 0.25), Crop(0.55, 0.3, 0.5),
)  # fmt: skip
_EVAL_CROPS = (Crop(0.95, 0.35, 0.4), Crop(0.78, 0.55, 0.15), Crop(0.62, 0.4, 0.3))
_CROP_PIXELS = 256


def photos(files: Mapping[str, Path]) -> dict[str, Image]:
    """The photographs among a builder's files, by name, BGR."""
    return {
        key.removeprefix(PHOTO): read_image(path)
        for key, path in sorted(files.items())
        if key.startswith(PHOTO)
    }


def read_image(path: Path) -> Image:
    """Read as BGR, whatever the file has; colour profiles are ignored."""
    content = _without_profile(path.read_bytes())
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path}: cannot be read as an image")
    return as_image(image)


def as_image(pixels: npt.NDArray[Any]) -> Image:
    """OpenCV's stubs promise less than it returns."""
    return np.asarray(pixels, np.uint8)


def _without_profile(content: bytes) -> bytes:
    """A PNG without its iCCP chunk: OpenCV does not use the profile, but libpng complains of broken ones."""
    if not content.startswith(_PNG):
        return content
    kept, at = [_PNG], len(_PNG)
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")  # length, kind, data, checksum
        if content[at + 4 : at + 8] != b"iCCP":
            kept.append(content[at:end])
        at = end
    return b"".join(kept)


def write_image(path: Path, image: Image) -> None:
    """Write as .png (lossless) or .jpg, by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if path.suffix == ".jpg" else []
    done, content = cv2.imencode(path.suffix, image, settings)
    if not done:
        raise DataError(f"{path}: cannot be written as an image")
    path.write_bytes(content.tobytes())


def write_crops(files: Mapping[str, Path], out: Path) -> None:
    """Square crops of 256 pixels of every photograph, every other one mirrored: calib/ 8 each, eval/ 3 each."""
    for folder, crops in (("calib", _CALIB_CROPS), ("eval", _EVAL_CROPS)):
        for name, photo in photos(files).items():
            for index, crop in enumerate(crops):
                part = _cut(photo, crop)
                write_image(out / folder / f"{name}-{index}.jpg", part[:, ::-1] if index % 2 else part)


def _cut(photo: Image, crop: Crop) -> Image:
    height, width = photo.shape[:2]
    side = round(min(height, width) * crop.side)
    left, top = round((width - side) * crop.x), round((height - side) * crop.y)
    return resized(photo[top : top + side, left : left + side], _CROP_PIXELS, _CROP_PIXELS)


def resized(image: Image, width: int, height: int) -> Image:
    """Averaging when shrinking, bilinear when growing."""
    method = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
    return as_image(cv2.resize(image, (width, height), interpolation=method))


class Placed(NamedTuple):
    """A photograph put somewhere on a larger canvas, and where a rectangle of it went."""

    image: Image
    boxes: tuple[Rect, ...]


def place(
    photo: Image, boxes: tuple[Rect, ...], canvas_wh: tuple[int, int], scale: float, x: float, y: float
) -> Placed:
    """``photo`` fitted into the canvas, then times ``scale``; ``x``, ``y`` as shares of the space left."""
    height, width = photo.shape[:2]
    factor = min(canvas_wh[0] / width, canvas_wh[1] / height) * scale
    small = resized(photo, round(width * factor), round(height * factor))
    left, top = round((canvas_wh[0] - small.shape[1]) * x), round((canvas_wh[1] - small.shape[0]) * y)
    # the photograph itself, blurred beyond recognition, surrounds it: natural colours, nothing to detect
    canvas = resized(resized(photo, 8, 6), *canvas_wh)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    moved = [
        (a * factor + left, b * factor + top, c * factor + left, d * factor + top) for a, b, c, d in boxes
    ]
    return Placed(canvas, tuple(moved))


def write_boxes(path: Path, placed: Placed, labels: tuple[str, ...]) -> None:
    """``path``.jpg and beside it ``path``.txt: a line a box, label and centre, width, height as shares."""
    write_image(path.with_suffix(".jpg"), placed.image)
    height, width = placed.image.shape[:2]
    lines = (
        f"{label} {(a + c) / 2 / width:.5f} {(b + d) / 2 / height:.5f} {(c - a) / width:.5f} {(d - b) / height:.5f}\n"
        for label, (a, b, c, d) in zip(labels, placed.boxes, strict=True)
    )
    path.with_suffix(".txt").write_text("".join(lines))


def positions(scales: tuple[float, ...]) -> Iterator[tuple[float, float, float]]:
    """(scale, x, y) of a few places on a canvas for each scale."""
    spots = ((0.5, 0.5), (0.1, 0.9), (0.85, 0.2), (0.3, 0.35))
    for index, scale in enumerate(scales):
        for x, y in (spots[index % 4], spots[(index + 1) % 4]):
            yield scale, x, y
