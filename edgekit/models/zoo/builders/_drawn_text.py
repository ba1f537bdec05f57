"""Lines and pages of drawn text with known wording, for text models: the same pixels every time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from edgekit.models.zoo.builders._samples import Image, as_image, write_image

_SUBJECTS = (
    "Quiet harbour", "Platform", "Gate", "Invoice", "Room", "Order", "Open daily", "Exit", "Main street", "Batch",
    "Serial no.", "Tel.", "Bus line", "Total", "Caution", "Pressure", "Valve", "Speed limit", "Shelf", "Best before",
    "Ticket", "Pump", "Zone", "Mill lane", "Sector", "Camera",
)  # fmt: skip
_DETAILS = (
    "4711", "12B", "9:30-18:00", "RK-35", "(left)", "21.5 C", "2024/06", "No. 8", "50 km/h", "#A-19", "100%", "is open",
    "3 kg", "max. 6 bar", "EUR 7,90", "to the sea", "west", "keep dry", "0049-221",
)  # fmt: skip
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX | cv2.FONT_ITALIC,
)  # fmt: skip
Colour = tuple[int, int, int]
_INKS: tuple[Colour, ...] = ((25, 25, 25), (120, 40, 20), (30, 30, 140), (40, 90, 30))
_PAPERS: tuple[Colour, ...] = ((240, 240, 240), (200, 225, 235), (225, 235, 205), (180, 190, 200))
_HEIGHT = 48


class Line(NamedTuple):
    """One drawn line and what it says."""

    image: Image
    text: str


def wordings(start: int, count: int) -> list[str]:
    """``count`` different short texts; ranges that do not overlap share none."""
    # 26 and 19 have no common factor, so that all 494 pairs come before one returns
    return [f"{_SUBJECTS[i % 26]} {_DETAILS[i % 19]}" for i in range(start, start + count)]


def lines(start: int, count: int) -> list[Line]:
    """Drawn lines, 48 pixels high: fonts, colours, weights, blur and brightness vary."""
    return [Line(_line(text, start + index), text) for index, text in enumerate(wordings(start, count))]


def _line(text: str, index: int) -> Image:
    font, ink, paper = _FONTS[index % 5], _INKS[index % 4], _PAPERS[(index // 4) % 4]
    if index % 7 == 3:  # light on dark, as on signs
        ink, paper = paper, ink
    (width, height), below = cv2.getTextSize(text, font, 1.2, 2 + index % 2)
    image: Image = np.full((height + below + 14, width + 18, 3), paper, np.uint8)
    cv2.putText(image, text, (9, height + 7), font, 1.2, ink, 2 + index % 2, cv2.LINE_AA)
    if index % 3 == 1:
        image = as_image(cv2.GaussianBlur(image, (0, 0), 1.2))
    image = _lit(image, index)
    small = cv2.resize(
        image, (round(image.shape[1] * _HEIGHT / image.shape[0]), _HEIGHT), interpolation=cv2.INTER_AREA
    )
    return as_image(small)


def _lit(image: Image, index: int) -> Image:
    """Light falls off to one side."""
    fall = 0.12 * (index % 4)
    ramp = np.linspace(1.0, 1.0 - fall, image.shape[1])[None, :, None]
    return np.rint(image * (ramp if index % 2 else ramp[:, ::-1])).astype(np.uint8)


def page(start: int, backdrop: Image | None) -> Image:
    """A page of 640 x 640 pixels with some lines at different sizes, slightly turned; on a photograph where given."""
    paper = _PAPERS[start % 4]
    image: Image = np.full((640, 640, 3), paper, np.uint8)
    if backdrop is not None:
        image = (cv2.resize(backdrop, (640, 640)) // 2 + np.array(paper) // 2).astype(np.uint8)
    top = 60
    for index, text in enumerate(wordings(start, 9)):
        scale = (0.7, 1.0, 1.4, 0.8)[(start + index) % 4]
        left = 30 + 37 * ((start + 2 * index) % 5)
        cv2.putText(
            image, text, (left, top), _FONTS[(start + index) % 5], scale, _INKS[index % 4], 2, cv2.LINE_AA
        )
        top += round(32 + 34 * scale)
    turn = cv2.getRotationMatrix2D((320, 320), ((start % 7) - 3) * 1.5, 1.0)
    turned = cv2.warpAffine(image, turn, (640, 640), borderMode=cv2.BORDER_REPLICATE)
    return as_image(turned)


def write_labelled(folder: Path, images: Sequence[Image], labels: Sequence[str]) -> None:
    """Images and ``labels.csv`` (file,label); labels with commas or quotes are quoted."""
    rows = ["file,label\n"]
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        write_image(folder / f"{index:03d}.png", image)
        quoted = '"' + label.replace('"', '""') + '"'
        rows.append(f"{index:03d}.png,{quoted}\n")
    (folder / "labels.csv").write_text("".join(rows))
