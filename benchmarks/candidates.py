"""Bundles of every wanted candidate of a target, without golden pair or choice among them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from edgekit.bundles.write import ARTIFACT, Parts, lay_out
from edgekit.catalog import load_catalog
from edgekit.conversion.candidates import Candidate
from edgekit.conversion.order import Intake, Order, take_in
from edgekit.conversion.plan import plan
from edgekit.conversion.trial import candidate_manifest
from edgekit.conversion.workshop import Workshop
from edgekit.errors import EdgekitError


def built(
    order: Order, wanted: Callable[[Intake, Candidate], bool]
) -> Iterator[tuple[Candidate, Intake, Path]]:
    """Candidates of the order's only target with their bundles in ``order.out``, which are made where they are not
    there yet; why one cannot be made is printed."""
    intake, catalog = take_in(order), load_catalog()
    candidates = [
        item
        for item in plan(catalog, catalog.target(order.targets[0]), intake.wish)
        if not item.reason and wanted(intake, item)
    ]
    with tempfile.TemporaryDirectory() as work:
        shop = Workshop.open(catalog, intake, candidates, Path(work), threads=1, effort="fast")
        for candidate in candidates:
            folder = order.out / candidate.label.replace(" ", "-")
            try:
                if not folder.exists():
                    made = shop.build(candidate)
                    files = {f"{ARTIFACT}/{name}": made.folder / name for name in made.reply["files"]}
                    manifest = candidate_manifest(intake, candidate, made)
                    lay_out(folder, Parts(manifest=manifest, artifact_files=files, contract=intake.contract))
                yield candidate, intake, folder
            except EdgekitError as error:
                print(f"{order.model.stem} {candidate.label}: {str(error)[:120]}")
