"""Read image files as OpenCV does: 8 bit, three channels, BGR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.contracts.types import Image
from edgekit.data.image_header import SUFFIXES, image_size
from edgekit.errors import DataError

_OTHER_IMAGES = frozenset({".avif", ".gif", ".heic", ".heif", ".jp2", ".svg", ".tga"})


def read_image(path: Path) -> Image:
    """The image in ``path``, height x width x 3, BGR; DataError where it cannot be read whole.

    As OpenCV's IMREAD_COLOR: turned upright by its EXIF orientation, gray and palette made colour, 16 bit cut to
    the upper 8, an alpha channel dropped; of several pages the first.
    """
    image = _decode(_content(path))
    if image is None or image.dtype != np.uint8 or image.ndim != 3:
        raise DataError(f"{path}: damaged, or of a kind that OpenCV cannot read; replace it or take it out")
    decoded: Image = image
    return decoded


def read_levels(path: Path) -> npt.NDArray[np.uint8]:
    """Gray levels of an image without colours, height x width; DataError where it is of another kind."""
    levels = _decode(_content(path), colour=False)
    if levels is None:
        raise DataError(f"{path}: damaged, or of a kind that OpenCV cannot read")
    if levels.dtype != np.uint8 or levels.ndim != 2:
        # OpenCV gives a palette's colours, not its indices
        raise DataError(
            f"{path}: needs one 8-bit gray level a pixel, not colours or a palette; convert it to gray"
        )
    return np.asarray(levels, np.uint8)


def _decode(content: bytes, *, colour: bool = True) -> Any:
    """As OpenCV gives it, None where it cannot; quiet, since the caller names the file."""
    import cv2

    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        kind = cv2.IMREAD_COLOR if colour else cv2.IMREAD_UNCHANGED
        return cv2.imdecode(np.frombuffer(content, np.uint8), kind)
    finally:
        cv2.utils.logging.setLogLevel(level)


def unreadable(path: Path) -> str | None:
    """Why ``path`` cannot be read, as far as can be told without decoding it; None where it looks sound."""
    try:
        _content(path)
    except DataError as error:
        return str(error)
    return None


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        image_size(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return content


def is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def find_images(folder: Path) -> list[Path]:
    """All image files below ``folder``, in the order of their relative names; other files are let be.

    DataError where an image of a format that is not read would have to be left out.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)]
    others = sorted(path for path in files if path.suffix.lower() in _OTHER_IMAGES)
    if others:
        raise DataError(
            f"{others[0]}: {others[0].suffix} images are not read ({len(others)} there); convert to PNG"
        )
    return sorted(
        (path for path in files if is_image(path)), key=lambda path: path.relative_to(folder).as_posix()
    )


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
