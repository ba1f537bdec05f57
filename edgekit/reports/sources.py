"""What a report is made from: bundles and stored measurements, told apart by their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundles import read_bundle
from edgekit.bundles.manifest import Manifest
from edgekit.errors import EdgekitError
from edgekit.profiling.files import read_measurements
from edgekit.profiling.record import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything one report shows, in the order it was given."""

    manifests: tuple[Manifest, ...]
    measurements: tuple[Measurement, ...]


def read_evidence(paths: Sequence[Path]) -> Evidence:
    """Read bundles (folder or zip) and measurement files; raises EdgekitError with every problem at once."""
    manifests: list[Manifest] = []
    measurements: list[Measurement] = []
    problems: list[str] = []
    for path in paths:
        try:
            if path.suffix == ".json":
                measurements.extend(read_measurements(path))
            else:
                manifests.append(read_bundle(path).manifest)
        except EdgekitError as error:
            problems.append(str(error))
    if problems:
        raise EdgekitError("\n".join(problems))
    return Evidence(manifests=tuple(manifests), measurements=tuple(measurements))
