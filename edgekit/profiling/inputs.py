"""What a user may name to be measured: a bundle (folder or zip), a plain model file, or a model of the zoo."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgekit.bundles import Bundle, read_bundle
from edgekit.profiling.plain import plain_bundle
from edgekit.staging import Scratch


@contextmanager
def runnable(name: str, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Iterator[Bundle]:
    """The bundle that ``name`` names; around a plain model it lives as long as the block.

    EdgekitError where there is no such thing or it is broken.
    """
    path = Path(name)
    if path.is_dir() or (path.is_file() and zipfile.is_zipfile(path)):
        yield read_bundle(path)
        return
    from edgekit.models.zoo import resolve

    model = path if path.is_file() else resolve(name)
    with Scratch("model") as folder:
        yield read_bundle(plain_bundle(model, folder / model.name, shapes))
