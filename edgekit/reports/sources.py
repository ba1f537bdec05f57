"""What a report is made from: bundles and stored measurements, told apart by their content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundles import read_bundle
from edgekit.bundles.manifest import Manifest
from edgekit.errors import EdgekitError
from edgekit.profiling.record import Measurement
from edgekit.strict import check_record


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
                measurements.extend(_read_measurements(path))
            else:
                manifests.append(read_bundle(path).manifest)
        except EdgekitError as error:
            problems.append(str(error))
    if problems:
        raise EdgekitError("\n".join(problems))
    return Evidence(manifests=tuple(manifests), measurements=tuple(measurements))


def _read_measurements(path: Path) -> list[Measurement]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EdgekitError(f"{path}: cannot be read as a measurement: {error}") from error
    rows = data.get("measurements") if isinstance(data, dict) and "measurements" in data else [data]
    if not isinstance(rows, list):
        raise EdgekitError(
            f"{path}: 'measurements' is not a list. Make one with: edgekit profile BUNDLE -o {path.name}"
        )
    records: list[Measurement] = []
    problems: list[str] = []
    for row in rows:
        record, found = check_record(row, Measurement, where=str(path))
        problems += found
        if record:
            records.append(record)
    if problems:
        raise EdgekitError("\n".join(problems))
    return records
