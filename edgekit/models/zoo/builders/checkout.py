"""A model that this project trained: its folder in the checkout, taken over."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import ModelError

_TAKEN = ("contract.toml", "labels.txt", "calib", "eval")


def build(files: Mapping[str, Path], out: Path) -> None:
    """Copy the model and what belongs to it; scripts that trained it stay where they are."""
    folder = files["folder"]
    models = sorted(folder.glob("*.onnx"))
    if len(models) != 1:
        raise ModelError(f"{folder}: holds {len(models)} .onnx files, not one")
    shutil.copyfile(models[0], out / "model.onnx")
    for name in _TAKEN:
        source = folder / name
        if source.is_dir():
            shutil.copytree(source, out / name)
        elif source.is_file():
            shutil.copyfile(source, out / name)
