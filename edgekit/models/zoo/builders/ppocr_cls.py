"""PP-OCR's orientation classifier as it ships: does a line of text stand on its head?"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from edgekit.models.zoo.builders._drawn_text import lines, write_labelled
from edgekit.models.zoo.builders._samples import write_image

LABELS = ("0", "180")


def build(files: Mapping[str, Path], out: Path) -> None:
    """Copy the model; write drawn lines, every other one turned by 180 degrees."""
    shutil.copyfile(files["model"], out / "model.onnx")
    (out / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    for index, line in enumerate(lines(0, 64)):
        write_image(out / "calib" / f"{index:03d}.png", line.image[::-1, ::-1] if index % 2 else line.image)
    images = [line.image[::-1, ::-1] if i % 2 else line.image for i, line in enumerate(lines(100, 64))]
    write_labelled(out / "eval", images, [LABELS[i % 2] for i in range(len(images))])
