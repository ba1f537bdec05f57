"""Bundles of zoo models for one runtime of a board, as ``convert`` makes them where the board had only that one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from edgekit.bundles import Bundle, read_bundle
from edgekit.catalog import Catalog, load_catalog
from edgekit.conversion.convert import Order, convert
from edgekit.models.zoo import resolve
from edgekit.vocabulary import Precision, RuntimeId


def catalog_with(
    target_id: str, runtime: RuntimeId, *, precisions: tuple[Precision, ...] | None = None
) -> Catalog:
    """The catalog, the target cut down to ``runtime`` (with other ``precisions``)."""
    catalog = load_catalog()
    target = catalog.target(target_id)
    (only,) = (item for item in target.runtimes if item.id == runtime)
    only = only.model_copy(update={"precisions": precisions}) if precisions else only
    changed = target.model_copy(update={"runtimes": (only,)})
    return replace(catalog, targets={**catalog.targets, target_id: changed})


def zoo_bundle(
    model: str, target: str, runtime: RuntimeId, precision: Precision, out: Path, *, samples: int = 8
) -> Bundle:
    """The model's bundle of that precision, in the new folder ``out``; also where the target does not list it."""
    order = Order(
        model=resolve(model, lambda done, total, doing: None),
        targets=(target,),
        out=out,
        precisions=(precision,),
        samples=samples,
        threads=1,
    )
    # these tests run it on the target's core themselves
    with patch("edgekit.conversion.serve.emulated_target", return_value=None):
        (kept,) = convert(order, catalog=catalog_with(target, runtime, precisions=(precision,))).bundles
    assert kept.manifest.artifact.precision == precision
    return read_bundle(kept.path)
