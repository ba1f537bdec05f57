"""Open a data set as the contract's inputs need it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from edgekit.contracts import LoadedContract
from edgekit.contracts.schema import INPUT_KIND
from edgekit.data import arrays, images
from edgekit.data.arrays import array_samples
from edgekit.data.box_labels import with_box_labels
from edgekit.data.image_folder import image_samples
from edgekit.data.mask_labels import with_mask_labels
from edgekit.data.samples import Sample, Samples, listing
from edgekit.data.text_files import text_samples
from edgekit.errors import DataError

CLIPS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})
"""Suffixes of video files."""


def open_samples(path: Path, contract: LoadedContract, limit: int | None = None) -> Samples:
    """The samples of ``path`` in a fixed order, at most ``limit`` of them (always the same, see ``Samples.subset``).

    Images: a folder, with ``labels.csv`` (file,label), one sub-folder a class, or beside each image for detectors a
    .txt of boxes, for segmentation a .mask.png; or the frames of a video file. Texts: .txt, one a line; .csv, .tsv or
    .jsonl with text and label. Arrays: a folder of .npz.
    DataError names every file that cannot be used; nothing is skipped.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    match INPUT_KIND[contract.schema.task]:
        case "image":
            samples = _images(path, contract, limit)
        case "tokens":
            has_classes = contract.schema.output.kind == "classes"
            samples = Samples(path.resolve().name, text_samples(path, labelled=has_classes)).subset(limit)
        case _:
            samples = _chosen(path, array_samples(path), limit, arrays.unreadable)
    if contract.schema.output.kind == "boxes" and path.is_dir():
        samples = with_box_labels(samples, path, contract.labels)
    if contract.schema.task == "semantic-segmentation" and path.is_dir():
        samples = with_mask_labels(samples, path, contract.labels)
    if contract.schema.output.kind == "classes":
        _check_labels(path, samples, contract.labels)
    return samples


def _images(path: Path, contract: LoadedContract, limit: int | None) -> Samples:
    if path.is_file() and path.suffix.lower() in CLIPS:
        from edgekit.data.clips import clip_samples  # OpenCV, when it is needed

        return clip_samples(path, limit)
    return _chosen(path, image_samples(path, contract), limit, images.unreadable)


def _chosen(
    path: Path, items: tuple[Sample, ...], limit: int | None, unreadable: Callable[[Path], str | None]
) -> Samples:
    samples = Samples(path.resolve().name, items).subset(limit)
    folder = path if path.is_dir() else path.parent
    problems = [problem for sample in samples if (problem := unreadable(folder / sample.id))]
    if problems:
        raise listing(path, problems, "unreadable files; replace them or take them out")
    return samples


def _check_labels(path: Path, samples: Samples, labels: tuple[str, ...]) -> None:
    """Every label is one of the contract's, or an index of one; and all samples have one, or none has."""
    given = [sample.label for sample in samples]
    unknown = sorted({label for label in given if isinstance(label, str) and not _is_known(label, labels)})
    if unknown:
        near = [_near(label, labels) for label in unknown]
        raise listing(path, near, "labels that the contract does not know; rename them, or leave labels out")
    if None in given and any(label is not None for label in given):
        missing = [sample.id for sample in samples if sample.label is None]
        raise listing(path, missing, "samples without a label, while others have one")


def _is_known(label: str, labels: tuple[str, ...]) -> bool:
    return label in labels or (label.isdecimal() and int(label) < len(labels))


def _near(label: str, labels: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(label, labels, n=1)
    return f"'{label}'" + (f"; did you mean '{close[0]}'?" if close else "")
