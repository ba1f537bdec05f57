"""What a report is made from: bundles, stored measurements and searches, told apart by their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundles import read_bundle
from edgekit.bundles.manifest import Manifest
from edgekit.errors import EdgekitError
from edgekit.profiling.files import read_measurements
from edgekit.profiling.record import Measurement
from edgekit.strict import check_record, read_data
from edgekit.tuning.record import TuneRecord, is_tune_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything one report shows, in the order it was given."""

    manifests: tuple[Manifest, ...]
    measurements: tuple[Measurement, ...]
    searches: tuple[TuneRecord, ...] = ()


def read_evidence(paths: Sequence[Path]) -> Evidence:
    """Read bundles (folder or zip), measurement files and ``tune.json``; EdgekitError with every problem at once."""
    manifests: list[Manifest] = []
    measurements: list[Measurement] = []
    searches: list[TuneRecord] = []
    problems: list[str] = []
    for path in paths:
        try:
            if search := _read_search(path):
                searches.append(search)
            elif path.suffix == ".json":
                measurements.extend(read_measurements(path))
            else:
                manifests.append(read_bundle(path).manifest)
        except EdgekitError as error:
            problems.append(str(error))
    if problems:
        raise EdgekitError("\n".join(problems))
    return Evidence(manifests=tuple(manifests), measurements=tuple(measurements), searches=tuple(searches))


def _read_search(path: Path) -> TuneRecord | None:
    """The search that ``path`` holds; None where it is something else."""
    data = read_data(path)[0] if path.suffix == ".json" else None
    if not is_tune_record(data):
        return None
    record, problems = check_record(data, TuneRecord, where=str(path))
    if record is None:
        raise EdgekitError("\n".join(problems))
    return record
