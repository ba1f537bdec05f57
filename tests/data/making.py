"""Small data sets for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgekit.contracts import LoadedContract, tensor_contract
from tests.contracts.making import Spec, image, loaded, picture

BOXES = {
    "kind": "boxes",
    "decoder": "yolov3",
    "names": ["y"],
    "labels": "labels.txt",
    "anchors": [[1.0, 1.0]],
}


def classifier(folder: Path) -> LoadedContract:
    return loaded(folder / "contract")


def detector(folder: Path) -> LoadedContract:
    return loaded(folder / "contract", "object-detection", output=BOXES)


def segmentation(folder: Path) -> LoadedContract:
    output = {"kind": "mask", "name": "y", "labels": "labels.txt", "layout": "nchw", "threshold": 0.5}
    return loaded(
        folder / "contract", "semantic-segmentation", output=output, labels=("background", "person")
    )


def reader(folder: Path) -> LoadedContract:
    (folder / "contract").mkdir(exist_ok=True)
    (folder / "contract" / "characters.txt").write_text("a\nb\n")
    output = {"kind": "text", "name": "y", "characters": "characters.txt"}
    return loaded(folder / "contract", "text-recognition", [image(resize="fit-height")], output)


def arrays_contract() -> LoadedContract:
    return tensor_contract([Spec("file", (1, 2)), Spec("b/c:0", (1,), "int64")], [Spec("y", (1,))])


def photos(folder: Path, names: Sequence[str]) -> Path:
    """Images of the names' formats below ``folder``, each of another height."""
    for place, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(path.suffix, picture(10 + place, 20)))
    return folder


def encoded(suffix: str, pixels: np.ndarray[Any, Any]) -> bytes:
    """``pixels`` as a file; of colours the first channel where the format is gray."""
    ok, content = cv2.imencode(suffix, pixels[:, :, 0] if suffix == ".pgm" else pixels)
    assert ok
    content_bytes: bytes = content.tobytes()
    return content_bytes
