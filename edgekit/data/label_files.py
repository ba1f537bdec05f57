"""Labels that stand in a file beside each image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgekit.data.samples import Sample, Samples, listing


def with_label_files(
    samples: Samples, folder: Path, suffix: str, labelled: Callable[[Sample, Path], Sample], *, lacking: str
) -> Samples:
    """``samples`` as ``labelled`` makes them from their ``<stem><suffix>``; unchanged where no image has one.

    DataError where some lack one, in the words ``lacking``.
    """
    files = {sample.id: (folder / sample.id).with_suffix(suffix) for sample in samples}
    missing = [f"no '{file.name}'" for file in files.values() if not file.is_file()]
    if len(missing) == len(files):
        return samples
    if missing:
        raise listing(folder, missing, lacking)
    return Samples(samples.name, tuple(labelled(sample, files[sample.id]) for sample in samples))
