"""Measurements of a user's own board: a CSV file that names model files."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from edgekit.errors import DataError
from edgekit.models import load_model
from edgekit.simulation.crossing import LEAST_POINTS, Point
from edgekit.simulation.layers import layers_of
from edgekit.simulation.published import Series
from edgekit.simulation.work import Work
from edgekit.vocabulary import Precision, PredictedRuntime

_NEEDED = ("model", "runtime", "version", "precision", "threads", "latency_ms")


def read_rows(path: Path, board: str) -> Mapping[Series, tuple[Point, ...]]:
    """The series in ``path``; DataError or ModelError, one line, for what is wrong.

    Columns: model (a file, relative to ``path``), runtime, version, precision, threads, latency_ms, and family
    where several models are of one (else each is a family of its own).
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if missing := [name for name in _NEEDED if name not in columns]:
        raise DataError(
            f"{path}: the first line must name the columns {', '.join(_NEEDED)}; {missing[0]} is missing"
        )
    work: dict[str, Work] = {}
    found: dict[Series, list[Point]] = defaultdict(list)
    for number, row in enumerate(rows, 2):
        series, latency_ms = _read(f"{path}:{number}", row, board)
        name = row["model"]
        if name not in work:
            work[name] = Work.of(layers_of(load_model(path.parent / name)))
        done, family = work[name], row.get("family") or name
        terms = done.on(series.runtime)
        found[series].append(Point(name, family, latency_ms, terms, dilated_share=done.dilated_share))
    for series, points in found.items():
        if len({point.family for point in points}) < LEAST_POINTS + 1:
            raise DataError(
                f"{path}: {series.runtime} {series.precision}: {len(points)} measurements; at least "
                f"{LEAST_POINTS + 1} models of different families are needed, better 5 to 8"
            )
    if not found:
        raise DataError(f"{path}: holds no measurements")
    return {series: tuple(points) for series, points in found.items()}


def _read(where: str, row: Mapping[str, str], board: str) -> tuple[Series, float]:
    if row["runtime"] not in get_args(PredictedRuntime):
        raise DataError(
            f"{where}: runtime '{row['runtime']}' is not one of {', '.join(get_args(PredictedRuntime))}"
        )
    if row["precision"] not in get_args(Precision):
        raise DataError(
            f"{where}: precision '{row['precision']}' is not one of {', '.join(get_args(Precision))}"
        )
    try:
        threads, latency_ms = int(row["threads"]), float(row["latency_ms"])
    except (TypeError, ValueError):
        raise DataError(f"{where}: threads must be a whole number and latency_ms a number") from None
    if threads < 1 or not 0 < latency_ms < float("inf"):
        raise DataError(f"{where}: threads and latency_ms must be above 0")
    return Series(board, row["runtime"], row["version"], row["precision"], threads, "own"), latency_ms
