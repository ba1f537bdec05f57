"""Read what ``edgekit profile -o`` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError
from edgekit.profiling.record import Measurement
from edgekit.strict import check_record


def read_measurements(path: Path) -> list[Measurement]:
    """The measurements in ``path``, or the one of a file that holds nothing else. EdgekitError with every problem."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise EdgekitError(f"{path}: cannot be read: {error.strerror}. {_how(path)}") from error
    except OSError as error:
        raise EdgekitError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EdgekitError(f"{_no_measurements(path)}: {error}") from error
    records: list[Measurement] = []
    problems: list[str] = []
    for row in _rows(path, data):
        record, found = check_record(row, Measurement, where=str(path))
        problems += found
        records += [record] if record else []
    if problems:
        raise EdgekitError("\n".join(problems))
    return records


def _rows(path: Path, data: Any) -> list[Any]:
    if isinstance(data, dict) and isinstance(data.get("measurements"), list):
        return list(data["measurements"])
    if isinstance(data, dict) and "latency_ms" in data:
        return [data]
    raise EdgekitError(f"{_no_measurements(path)}. {_how(path)}")


def _no_measurements(path: Path) -> str:
    return f"{path}: not a file that `edgekit profile -o` writes"


def _how(path: Path) -> str:
    return f"Make one with: edgekit profile BUNDLE -o {path.name}"
