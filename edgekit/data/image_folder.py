"""Images from a folder, with labels from ``labels.csv`` or class sub-folders."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from edgekit.contracts import LoadedContract
from edgekit.data.images import find_images, is_image, read_image
from edgekit.data.mask_labels import is_mask
from edgekit.data.samples import Label, Sample, listing
from edgekit.data.text_files import read_text_file
from edgekit.errors import DataError

_CLASSES = "classes"
LABELS_FILE = "labels.csv"


def image_samples(path: Path, contract: LoadedContract) -> tuple[Sample, ...]:
    """Every image of ``path`` (a folder, or one image); DataError where there is none or labels are wrong."""
    if path.is_file():
        if not is_image(path):
            raise DataError(
                f"{path}: the model takes images; give a folder of them, one image file or a video"
            )
        return (Sample(path.name, partial(read_image, path)),)
    labels = _labels(path, contract)
    return tuple(Sample(name, partial(read_image, path / name), label) for name, label in labels.items())


def _labels(folder: Path, contract: LoadedContract) -> dict[str, Label | None]:
    """Relative file name -> label, in the order of the samples."""
    kind = contract.schema.output.kind
    if (folder / LABELS_FILE).is_file() and kind in (_CLASSES, "text"):
        return {**_listed(folder)}
    images = find_images(folder)
    if contract.schema.task == "semantic-segmentation":
        images = [image for image in images if not is_mask(image)]
    if not images:
        raise DataError(f"{folder}: no images (.jpg, .png, .bmp, .webp, .tif, .ppm) in this folder")
    names = [image.relative_to(folder) for image in images]
    if kind == _CLASSES:
        return _by_folder(folder, names)
    return {name.as_posix(): None for name in names}


def _listed(folder: Path) -> dict[str, str]:
    """``labels.csv`` is the list of the data set: what it does not name is not part of it."""
    path = folder / LABELS_FILE
    rows = csv.DictReader(read_text_file(path).splitlines())
    if not {"file", "label"} <= set(rows.fieldnames or ()):
        raise DataError(f"{path}: the first line must name the columns file,label")
    labels: dict[str, str] = {}
    problems = []
    for row in rows:
        name, label = row["file"], row["label"]
        if not name or label is None:
            problems.append(f"line {rows.line_num}: needs a file and a label")
        elif name in labels:
            problems.append(f"line {rows.line_num}: '{name}' is listed twice")
        elif Path(name).is_absolute() or ".." in Path(name).parts:
            problems.append(f"line {rows.line_num}: '{name}' is outside the folder")
        elif not (folder / name).is_file():
            problems.append(f"line {rows.line_num}: no file '{name}'")
        else:
            labels[name] = label
    if problems:
        raise listing(path, problems, "wrong lines")
    if not labels:
        raise DataError(f"{path}: no samples; one line a file is needed: file,label")
    return labels


def _by_folder(folder: Path, names: list[Path]) -> dict[str, Label | None]:
    loose = [name for name in names if len(name.parts) == 1]
    if loose and len(loose) < len(names):
        raise DataError(
            f"{folder}: has images both beside and inside sub-folders; move '{loose[0]}' into the folder of its "
            f"class, or list all in {LABELS_FILE}"
        )
    return {name.as_posix(): None if loose else name.parts[0] for name in names}
