"""The published measurements that profiles are calibrated on, and the graphs of the models they name.

``published/measurements.csv`` says of each where it stands; ``published/models.csv`` holds the layers of each model.
Both are read to fit and to check, never to predict.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edgekit.simulation.crossing import Point
from edgekit.simulation.fitting import NOISE
from edgekit.simulation.layer import KINDS, Layer
from edgekit.simulation.work import Work

_NEAREST = {"litert": "tflite-xnnpack", "tflite-runtime": "tflite-xnnpack"}
_USUAL = "tflite"
"""Whose population a runtime takes that nothing was published of."""
_NOISE = {"cann": 0.2, "hiai": 0.2, "ncnn": 0.08, "openvino": 0.12, "qnn": 0.12, "rknn": 0.12}
"""ncnn: many contributors with many boards, two of one kind differ by 3 to 15 %. The others: graphs that were laid out
again from their papers, and few families, so that one model must not decide a term. Ascend's were timed by as many
people as there are models, each with the compiler of the day."""
FOLDER = Path(__file__).parent / "published"


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What was measured alike: the key of a set of constants."""

    board: str
    runtime: str
    version: str
    precision: str
    threads: int
    run: str
    """Tells apart runs that the source keeps apart."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where measurements stand."""

    repository: str
    path: str
    commit: str
    licence: str
    statistic: str


@cache
def model_work() -> Mapping[str, Work]:
    """How much work each model that was measured is."""
    return work_in(FOLDER)


@cache
def published() -> Mapping[Series, tuple[Point, ...]]:
    """Every series with its points."""
    return series_in(FOLDER, model_work())


@cache
def origins() -> Mapping[Series, tuple[Origin, ...]]:
    """Where the points of each series stand."""
    return origins_in(FOLDER)


def work_in(folder: Path) -> Mapping[str, Work]:
    """The same of the models in ``folder``, which holds files like ``published/``."""
    return {name: Work.of(found) for name, found in layers_in(folder).items()}


def layers_in(folder: Path) -> Mapping[str, Sequence[Layer]]:
    """The layers of each model in ``folder``."""
    layers: dict[str, list[Layer]] = defaultdict(list)
    for row in _rows(folder / "models.csv"):
        model, wanted = row.pop("model"), row.pop("kind")
        kind = next(known for known in KINDS if known == wanted)
        sizes: dict[str, Any] = {name: int(value) for name, value in row.items()}
        layers[model].append(Layer(kind=kind, **sizes))
    return layers


def series_in(folder: Path, work: Mapping[str, Work]) -> Mapping[Series, tuple[Point, ...]]:
    """Every series in ``folder``; ``work``: of the models that they name."""
    found = defaultdict(list)
    for row in _rows(folder / "measurements.csv"):
        series = _series(row)
        noise = _NOISE.get(series.runtime, NOISE)
        done = work[row["model"]]
        found[series].append(
            Point(
                model=row["model"],
                family=row["family"],
                latency_ms=float(row["latency_ms"]),
                terms=done.on(series.runtime),
                noise=noise,
                dilated_share=done.dilated_share,
            )
        )
    return {series: tuple(points) for series, points in sorted(found.items())}


def origins_in(folder: Path) -> Mapping[Series, tuple[Origin, ...]]:
    """Where the points of each series in ``folder`` stand."""
    known = {
        row["id"]: Origin(row["repository"], row["path"], row["commit"], row["licence"], row["statistic"])
        for row in _rows(folder / "sources.csv")
    }
    found: dict[Series, dict[str, Origin]] = defaultdict(dict)
    for row in _rows(folder / "measurements.csv"):
        found[_series(row)][row["source"]] = known[row["source"]]
    return {series: tuple(by_id.values()) for series, by_id in found.items()}


def alike(runtime: str, precision: str) -> Mapping[Series, tuple[Point, ...]]:
    """The series that make one population: of one runtime, in floats of any width or in integers."""
    return {
        series: points
        for series, points in published().items()
        if series.runtime == runtime and (series.precision == "int8") == (precision == "int8")
    }


def nearest_population(runtime: str, precision: str) -> Mapping[Series, tuple[Point, ...]]:
    """The same, of the nearest runtime where nothing was published of this one."""
    return alike(runtime, precision) or alike(_NEAREST.get(runtime, _USUAL), precision)


def _series(row: Mapping[str, str]) -> Series:
    return Series(
        row["board"], row["runtime"], row["version"], row["precision"], int(row["threads"]), row["run"]
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)
