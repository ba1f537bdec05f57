"""Where bundles go: checked before any work is done, replaced in one step at its end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles import SUFFIX, is_bundle
from edgekit.bundles.archive import pack
from edgekit.bundles.write import finish
from edgekit.conversion.results import KeptBundle
from edgekit.errors import BundleError
from edgekit.staging import move_into_place, staging_folder

if TYPE_CHECKING:
    from edgekit.bundles.manifest import Manifest
    from edgekit.conversion.order import Order


@contextmanager
def output_staging(out: Path, names: list[str], *, force: bool) -> Iterator[Path]:
    """A staging folder inside ``out``, once ``out`` can be written and ``names`` can be put there.

    BundleError otherwise. An earlier bundle of the name is replaced; anything else only with ``force``.
    """
    if out.exists() and not out.is_dir():
        raise BundleError(f"{out}: is a file, not a folder. Choose another -o")
    for name in names:
        place = bundle_path(out, name)
        if place.exists() and not force and not is_bundle(place):
            raise BundleError(
                f"{place}: stands in the way and is no bundle of edgekit's. "
                "Move it away, choose another -o, or replace it with --force"
            )
    with ExitStack() as stack:
        with writing(out):
            staging = stack.enter_context(staging_folder(out))
        yield staging


def bundle_path(out: Path, name: str) -> Path:
    """A bundle's place in ``out``; a zipped one has the same name."""
    return out / f"{name}{SUFFIX}"


def write_bundle(
    folder: Path, manifest: Manifest, staging: Path, order: Order, *, reason: str, size_bytes: int
) -> KeptBundle:
    """Finish what was laid out in ``folder`` with ``manifest``, and put it in its place in ``order.out``.

    ``reason``: why it was kept; ``size_bytes``: of its artifact.
    """
    staged, place = staging / manifest.name, bundle_path(order.out, manifest.name)
    with writing(order.out):
        shutil.copytree(folder, staged)
        finished = finish(staged, manifest)
        if order.zipped:
            archive = staged.with_name(f"{staged.name}.zip")
            pack(staged, archive)
            staged = archive
        move_into_place(staged, place)
    return KeptBundle(
        target=manifest.target, path=place, manifest=finished, reason=reason, size_bytes=size_bytes
    )


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """OSErrors of writing as one line that says what to do."""
    try:
        yield
    except OSError as error:
        raise BundleError(
            f"{error.filename or out}: cannot be written: {error.strerror}. Choose another -o"
        ) from error
