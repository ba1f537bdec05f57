"""PP-OCRv4 recognition as it ships; its characters are in the model's metadata."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import onnx

from edgekit.models.zoo.builders._drawn_text import lines, write_labelled
from edgekit.models.zoo.builders._samples import read_image, write_image


def build(files: Mapping[str, Path], out: Path) -> None:
    """Copy the model; write its characters and drawn lines, those for evaluation with their wording."""
    shutil.copyfile(files["model"], out / "model.onnx")
    metadata = {item.key: item.value for item in onnx.load(out / "model.onnx").metadata_props}
    (out / "characters.txt").write_text(metadata["character"].rstrip("\n") + "\n")
    for index, line in enumerate(lines(0, 64)):
        write_image(out / "calib" / f"{index:03d}.png", line.image)
    drawn = lines(100, 64)
    title = read_image(files["photo_page"])[8:38, :240]
    images = [line.image for line in drawn] + [title]
    write_labelled(out / "eval", images, [line.text for line in drawn] + ["Region-based segmentation"])
