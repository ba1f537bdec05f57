"""What every measurement says of the bundle, of the device, and of the golden pair there."""

from __future__ import annotations

from typing import Any

from edgekit.bundles import Bundle
from edgekit.devices import GoldenCheck
from edgekit.vocabulary import MeasurementKind


def identity(bundle: Bundle, device: str, kind: MeasurementKind) -> dict[str, Any]:
    """The record's fields on what was measured where."""
    manifest = bundle.manifest
    return {
        "bundle": bundle.path.name,
        "bundle_sha256": bundle.sha256,
        "model": manifest.model.name,
        "target": manifest.target,
        "precision": manifest.artifact.precision,
        "converter": manifest.converter,
        "device": device,
        "kind": kind,
    }


def golden_figures(golden: GoldenCheck | None) -> dict[str, Any]:
    """The record's fields on the golden pair; none for a bundle without one."""
    if golden is None:
        return {}
    return {
        "golden_error": golden.max_relative_error,
        "golden_equal_share": golden.equal_share,
        "golden_max_difference": golden.max_difference,
    }
