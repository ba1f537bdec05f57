"""BlazeFace (front camera, 128 pixels) as it ships."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from edgekit.models.zoo.builders._samples import Rect, photos, place, positions, write_boxes, write_image

FACE: Rect = (132, 72, 238, 184)
"""The astronaut's face on her bust, forehead to chin, measured by hand."""
_CANVAS = (480, 480)


def build(files: Mapping[str, Path], out: Path) -> None:
    """Copy the model; write the astronaut at many places, with her face's box where it is for evaluation."""
    shutil.copyfile(files["model"], out / "model.onnx")
    (out / "labels.txt").write_text("face\n")
    pictures = photos(files)
    # the model is for faces near the camera: the bust alone, so that they stay large enough on 128 pixels
    portrait = pictures.pop("astronaut")[:380, 40:420]
    for index, (scale, x, y) in enumerate(positions((1.0, 0.9, 0.8, 0.7, 0.6, 0.5))):
        placed = place(portrait, (FACE,), _CANVAS, scale, x, y)
        write_image(out / "calib" / f"face-{index:02d}.jpg", placed.image)
    for index, (scale, x, y) in enumerate(positions((0.97, 0.85, 0.75, 0.65))):
        placed = place(portrait, (FACE,), _CANVAS, scale, 1 - x, 1 - y)
        write_boxes(out / "eval" / f"face-{index:02d}", placed, ("face",))
    for name, picture in pictures.items():
        write_image(out / "calib" / f"{name}.jpg", picture)
        write_boxes(out / "eval" / name, place(picture, (), _CANVAS, 0.9, 0.5, 0.5), ())
