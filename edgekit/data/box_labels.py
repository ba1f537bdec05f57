"""Labels of detectors: a ``<stem>.txt`` beside each image, in the YOLO form.

One box a line: class (label or its index), centre x, centre y, width, height, each as a share of the image. A
file without lines says that nothing is there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.contracts.predictions import Box
from edgekit.data.images import read_image
from edgekit.data.label_files import with_label_files
from edgekit.data.samples import Sample, Samples
from edgekit.data.text_files import read_text_file
from edgekit.errors import DataError


def with_box_labels(samples: Samples, folder: Path, labels: tuple[str, ...]) -> Samples:
    """``samples`` with the boxes of their files; unchanged where no image has one. DataError where some lack one."""
    return with_label_files(
        samples,
        folder,
        ".txt",
        lambda sample, file: _labelled(sample, folder, file, labels),
        lacking="images have no box file (an empty one says that nothing is there)",
    )


def _labelled(sample: Sample, folder: Path, file: Path, labels: tuple[str, ...]) -> Sample:
    height, width = read_image(folder / sample.id).shape[:2]  # upright, which the header alone does not tell
    lines = [line for line in read_text_file(file).splitlines() if line.strip()]
    boxes = tuple(_box(line, f"{file} line {i}", (height, width), labels) for i, line in enumerate(lines, 1))
    return replace(sample, label=boxes)


def _box(line: str, where: str, image_hw: tuple[int, int], labels: tuple[str, ...]) -> Box:
    try:
        name, *numbers = line.rsplit(maxsplit=4)
        centre_x, centre_y, width, height = (float(number) for number in numbers)
    except ValueError:
        raise DataError(
            f"{where}: needs a class and four numbers: centre x, centre y, width, height"
        ) from None
    if not all(0.0 <= number <= 1.0 for number in (centre_x, centre_y, width, height)):
        raise DataError(f"{where}: the four numbers are shares of the image, 0 to 1")
    index = _index(name, where, labels)
    return Box(
        index=index,
        label=labels[index],
        score=1.0,
        left=(centre_x - width / 2) * image_hw[1],
        top=(centre_y - height / 2) * image_hw[0],
        right=(centre_x + width / 2) * image_hw[1],
        bottom=(centre_y + height / 2) * image_hw[0],
    )


def _index(name: str, where: str, labels: tuple[str, ...]) -> int:
    if name in labels:
        return labels.index(name)
    if name.isdecimal() and int(name) < len(labels):
        return int(name)
    raise DataError(f"{where}: '{name}' is none of the contract's {len(labels)} labels, nor the index of one")
