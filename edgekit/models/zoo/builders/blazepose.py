"""BlazePose's landmark model, as ONNX; without its outputs for segmentation, heat maps and metres."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import cv2

from edgekit.models.zoo.builders._samples import Image, Rect, as_image, photos, resized, write_image
from edgekit.models.zoo.builders._tflite_graph import tflite_graph

KEYPOINTS = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
"""In the order of POSE_LANDMARKS in the package's pose.js; left and right as the person has them."""
PEOPLE: dict[str, Rect] = {"astronaut": (20, 12, 365, 512), "camera": (0, 62, 325, 512)}
"""Who is on the photographs, measured by hand."""
_PIXELS = 320
_CALIB = (1.15, 1.3, 1.5, 1.8), (-0.06, 0.05)
"""Sides of the square in longer sides of the person, and how far off its middle is, in sides of the square."""
_EVAL = (1.25, 1.4, 1.65), (-0.02, 0.03)


def build(files: Mapping[str, Path], out: Path) -> None:
    """Write the model, the names of its points, and squares around people as a detector would cut them out."""
    graph = tflite_graph(files["model"], "blazepose-lite", ["Identity", "Identity_1"])
    graph.write(
        out / "model.onnx", {"model_license": "Apache-2.0", "source": "@mediapipe/pose 0.5.1675469404"}
    )
    (out / "keypoints.txt").write_text("".join(f"{name}\n" for name in KEYPOINTS))
    for name, picture in photos(files).items():
        if name not in PEOPLE:
            write_image(out / "calib" / f"{name}.jpg", resized(picture, _PIXELS, _PIXELS))
            continue
        for folder, (sides, offsets) in (("calib", _CALIB), ("eval", _EVAL)):
            for index, (side, x, y) in enumerate(product(sides, offsets, offsets)):
                part = _square(picture, PEOPLE[name], side, x, y)
                turned = as_image(part[:, ::-1]) if index % 2 else part
                write_image(out / folder / f"{name}-{index:02d}.jpg", turned)


def _square(photo: Image, person: Rect, enlarged: float, x: float, y: float) -> Image:
    """``enlarged`` times the person's longer side, its middle off by ``x`` and ``y`` sides; beyond the edge that repeats."""
    left, top, right, bottom = person
    side = round(enlarged * max(right - left, bottom - top))
    corner = round((left + right - side) / 2 + x * side), round((top + bottom - side) / 2 + y * side)
    padded = as_image(cv2.copyMakeBorder(photo, side, side, side, side, cv2.BORDER_REPLICATE))
    part = padded[corner[1] + side : corner[1] + 2 * side, corner[0] + side : corner[0] + 2 * side]
    return resized(part, _PIXELS, _PIXELS)
