"""PP-OCRv4 text detection as it ships: a map of where text is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from edgekit.models.zoo.builders._drawn_text import page
from edgekit.models.zoo.builders._samples import photos, write_image


def build(files: Mapping[str, Path], out: Path) -> None:
    """Copy the model; write pages of drawn text, some on photographs, and a photographed page of print."""
    shutil.copyfile(files["model"], out / "model.onnx")
    backdrops = photos(files)
    printed = backdrops.pop("page")
    backs = [None, *backdrops.values()]
    for index in range(24):
        write_image(out / "calib" / f"{index:03d}.jpg", page(11 * index, backs[index % len(backs)]))
    for index in range(8):
        write_image(out / "eval" / f"{index:03d}.jpg", page(300 + 13 * index, backs[index % len(backs)]))
    write_image(out / "eval" / "printed.png", printed)
