"""Labels of segmentation: ``<stem>.mask.png`` beside each image, whose gray levels are the classes' indices.

8 bits, of the image's size; 255 is what does not count, as in Pascal VOC.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.contracts import Mask
from edgekit.contracts.runs import UNKNOWN
from edgekit.data.images import read_image, read_levels
from edgekit.data.label_files import with_label_files
from edgekit.data.samples import Sample, Samples
from edgekit.errors import DataError

SUFFIX = ".mask.png"
VOID = 255


def is_mask(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIX)


def with_mask_labels(samples: Samples, folder: Path, labels: tuple[str, ...]) -> Samples:
    """``samples`` with the masks of their files; unchanged where no image has one. DataError where some lack one."""
    return with_label_files(
        samples,
        folder,
        SUFFIX,
        lambda sample, file: _labelled(sample, folder, file, labels),
        lacking="images have no mask, while others have one",
    )


def _labelled(sample: Sample, folder: Path, file: Path, labels: tuple[str, ...]) -> Sample:
    levels = read_levels(file)
    image_hw = read_image(folder / sample.id).shape[:2]  # upright, which the header alone does not tell
    if levels.shape != image_hw:
        raise DataError(f"{file}: has {_size(levels.shape)} pixels, '{sample.id}' has {_size(image_hw)}")
    unknown = levels[(levels >= len(labels)) & (levels != VOID)]
    if unknown.size:
        raise DataError(
            f"{file}: holds the level {unknown.max()}; levels are indices of the contract's {len(labels)} labels, or {VOID}"
        )
    columns = levels.T.astype(np.int16)
    columns[columns == VOID] = UNKNOWN
    return replace(sample, label=Mask.of(np.ascontiguousarray(columns), labels))


def _size(hw: tuple[int, ...]) -> str:
    return f"{hw[1]} x {hw[0]}"
