"""MediaPipe's selfie segmentation, the general one: people near the camera, from its TFLite file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from edgekit.models.zoo.builders._samples import Image, photos, place, positions, write_image
from edgekit.models.zoo.builders._tflite_graph import tflite_graph

Outline = tuple[tuple[int, int], ...]
_PERSON, _BACKGROUND, _VOID = 1, 0, 255
_BORDER = 7
"""Pixels around each outline that do not count: it was measured by hand, with straight lines."""
_CANVAS = (640, 480)
OUTLINES: dict[str, tuple[tuple[int, Outline], ...]] = {
    "astronaut": (
        (_PERSON, (
            (35, 511), (30, 500), (25, 480), (20, 425), (19, 400), (24, 345), (35, 310), (48, 270), (65, 250),
            (90, 228), (112, 208), (119, 200), (115, 190), (122, 170), (135, 155), (155, 149), (185, 148),
            (181, 131), (172, 118), (155, 95), (153, 65), (160, 50), (175, 38), (192, 30), (210, 20), (230, 16),
            (250, 18), (272, 28), (290, 43), (300, 65), (301, 90), (295, 110), (285, 123), (275, 131), (270, 136),
            (265, 150), (257, 172), (270, 182), (288, 200), (300, 220), (305, 235), (320, 243), (338, 258),
            (347, 280), (355, 305), (361, 333), (364, 348), (345, 354), (320, 370), (300, 395), (287, 420),
            (280, 445), (276, 480), (280, 511),
        )),
        # the helmet in her arm is neither she nor background
        (_VOID, (
            (364, 348), (380, 345), (410, 344), (440, 352), (465, 372), (482, 395), (492, 425), (496, 452),
            (505, 457), (511, 475), (511, 511), (280, 511), (276, 480), (280, 445), (287, 420), (300, 395),
            (320, 370), (345, 354),
        )),
    ),
    "camera": (
        (_PERSON, (
            (0, 511), (0, 258), (10, 240), (27, 220), (40, 195), (55, 170), (70, 147), (90, 132), (110, 125),
            (131, 123), (142, 111), (155, 105), (161, 106), (164, 90), (172, 77), (190, 67), (205, 65), (225, 67),
            (240, 77), (255, 90), (267, 102), (271, 117), (267, 131), (255, 132), (252, 145), (254, 157), (256, 170),
            (247, 172), (245, 185), (240, 195), (243, 210), (246, 222), (249, 247), (262, 243), (277, 245),
            (270, 235), (262, 225), (263, 212), (275, 206), (295, 190), (320, 170), (330, 175), (331, 195),
            (325, 215), (310, 230), (300, 233), (296, 245), (300, 260), (304, 274), (290, 287), (270, 302),
            (247, 312), (225, 305), (207, 295), (190, 325), (165, 357), (142, 382), (149, 430), (151, 500), (151, 511),
        )),
        (_BACKGROUND, ((100, 446), (92, 511), (137, 511), (131, 492), (117, 465))),  # between his legs
        # so are what he holds and what stands before him
        (_VOID, (
            (254, 140), (320, 139), (325, 145), (324, 153), (320, 158), (320, 177), (300, 190), (275, 188), (260, 170),
            (256, 155),
        )),
        (_VOID, ((272, 186), (298, 186), (300, 250), (299, 320), (286, 320), (288, 250))),
    ),
}  # fmt: skip
"""Who is on the photographs (x, y in pixels), in the order in which it is painted."""


def build(files: Mapping[str, Path], out: Path) -> None:
    """Write the model and photographs with and without people, in eval/ with masks measured by hand."""
    facts = {"model_license": "Apache-2.0", "source": "@mediapipe/selfie_segmentation 0.1.1675465747"}
    tflite_graph(files["model"], "selfie-segmentation").write(out / "model.onnx", facts)
    (out / "labels.txt").write_text("background\nperson\n")
    for name, picture in photos(files).items():
        people = name in OUTLINES
        for index, spot in enumerate(positions((1.0, 0.85, 0.7, 0.55) if people else (1.0, 0.7))):
            write_image(out / "calib" / f"{name}-{index}.jpg", place(picture, (), _CANVAS, *spot).image)
        if name == "chelsea":
            continue  # a cat that fills the picture is a person to this model, which says little of anybody's artifact
        for index, (scale, x, y) in enumerate(positions((0.95, 0.8, 0.65) if people else (0.85,))):
            _write_labelled(out / "eval" / f"{name}-{index}", name, picture, (scale, 1 - x, 1 - y))


def _write_labelled(path: Path, name: str, picture: Image, spot: tuple[float, float, float]) -> None:
    height, width = picture.shape[:2]
    placed = place(picture, ((0, 0, width, height),), _CANVAS, *spot)
    ((left, top, right, bottom),) = placed.boxes
    small = cv2.resize(
        _painted(name, picture),
        (round(right - left), round(bottom - top)),
        interpolation=cv2.INTER_NEAREST_EXACT,
    )
    mask = np.full(placed.image.shape[:2], _BACKGROUND, np.uint8)
    mask[round(top) : round(top) + small.shape[0], round(left) : round(left) + small.shape[1]] = small
    write_image(path.with_suffix(".jpg"), placed.image)
    write_image(path.with_suffix(".mask.png"), mask)


def _painted(name: str, picture: Image) -> Image:
    mask = np.full(picture.shape[:2], _BACKGROUND, np.uint8)
    outlines = [(kind, np.array(outline, np.int32)) for kind, outline in OUTLINES.get(name, ())]
    for kind, points in outlines:
        cv2.fillPoly(mask, [points], kind)
    for _, points in outlines:
        cv2.polylines(mask, [points], True, _VOID, _BORDER)
    return mask
