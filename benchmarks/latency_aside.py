"""Latencies from the graph against measurements that took no part in calibration: as shipped, and from five probes.

    python -m benchmarks.latency_aside                  # every runtime; two to three minutes
    python -m benchmarks.latency_aside --runtime tflite --boards

``tests/simulation/data/aside/`` says of each where it stands; nothing of edgekit reads it. A board that has constants for
the runtime, its precision and threads is predicted by them; any other is fitted as ``edgekit profiles fit`` would, to five
of its models, and the others are predicted. Beside each stands a constant per MAC of the same board's known models.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from edgekit.catalog import load_catalog
from edgekit.catalog_schema import Profile, Speed
from edgekit.simulation.calibrating import calibration_of
from edgekit.simulation.choosing import chosen
from edgekit.simulation.crossing import HeldOut, Point, cross_validate, points_of
from edgekit.simulation.fitting import Population, fit_constants, fit_population
from edgekit.simulation.predict import predict_terms
from edgekit.simulation.probing import choose_probes
from edgekit.simulation.published import Series, alike, model_work, published, series_in, work_in
from edgekit.simulation.terms import NAMES, macs_of

FOLDER = Path(__file__).parents[1] / "tests/simulation/data/aside"
FIVE = 5
_DRAWS = 4
_MANY = 50
"""Series in a population that five points more do not move: ncnn's predictions differ by .2 % in the median, and 2 % in
one of ten."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One measurement that took no part, and what was predicted."""

    series: Series
    point: Point
    predicted_ms: float
    inside: bool
    """Whether it lies in the interval that is printed."""
    per_mac_ms: float
    """By the median time per MAC of the same board's known models."""
    marked: bool

    @property
    def error(self) -> float:
        return abs(self.predicted_ms / self.point.latency_ms - 1)

    @property
    def per_mac_error(self) -> float:
        return abs(self.per_mac_ms / self.point.latency_ms - 1)


@cache
def aside() -> Mapping[Series, tuple[Point, ...]]:
    """What took no part."""
    return series_in(FOLDER, {**model_work(), **work_in(FOLDER)})


def alike_aside(runtime: str, precision: str) -> Mapping[Series, tuple[Point, ...]]:
    """Of one runtime, in floats of any width or in integers."""
    return {
        series: points
        for series, points in aside().items()
        if series.runtime == runtime and (series.precision == "int8") == (precision == "int8")
    }


@cache
def profiles() -> Mapping[str, Profile]:
    return load_catalog().profiles


def as_shipped(series: Series) -> Speed | None:
    """The constants that a bundled profile has for ``series``."""
    profile = profiles().get(series.board)
    for speed in profile.speeds if profile else ():
        if (speed.runtime, speed.precision, speed.threads or 0) == (
            series.runtime,
            series.precision,
            series.threads,
        ):
            return speed
    return None


def judge_shipped(runtime: str, precision: str) -> Iterator[Judged]:
    """Boards with a profile, by its constants."""
    for series, points in alike_aside(runtime, precision).items():
        speed = as_shipped(series)
        if speed:
            (known,) = (
                item
                for item in chosen(published(), series.board)
                if (item.runtime, item.precision, item.threads)
                == (series.runtime, series.precision, series.threads)
            )
            yield from _judged(series, speed, published()[known], points)


@cache
def _common(runtime: str, precision: str) -> Population:
    return fit_population([points_of(points) for points in alike(runtime, precision).values()])


@cache
def _left_out(runtime: str, precision: str) -> tuple[HeldOut, ...]:
    """Calibration's own errors, families left out: what an interval is made of."""
    held_out = cross_validate(alike(runtime, precision))
    return tuple(entry for entries in held_out.values() for entry in entries)


def fitted(series: Series, known: Sequence[Point]) -> Speed:
    """What ``profiles fit`` makes of a few measurements: beside the population, with the interval of all."""
    others = alike(series.runtime, series.precision)
    common = (
        _common(series.runtime, "int8" if series.precision == "int8" else "fp32")
        if len(others) > _MANY
        else fit_population([points_of(points) for points in (*others.values(), known)])
    )
    everywhere = _left_out(series.runtime, "int8" if series.precision == "int8" else "fp32")
    found = calibration_of(known, NAMES, fit_constants(points_of(known), common) * 1e9, (), everywhere)
    return Speed.model_validate(
        {
            "runtime": series.runtime,
            "version": series.version,
            "precision": series.precision,
            "threads": series.threads or None,
            "measurements": found.measurements,
            "families": found.families,
            "error_pct": {"median": found.median_pct, "p90": found.p90_pct},
            "interval_factor": found.interval_factor,
            "latency_ms": found.latency_ms,
            "covered": found.covered,
            "constants_ps": found.constants_ps,
        }
    )


def judge_new(runtime: str, precision: str, *, recommended: bool) -> Iterator[Judged]:
    """Boards without, from five of their models: four draws, or those that ``profiles probes`` recommends."""
    if not alike_aside(runtime, precision):
        return
    population = _common(runtime, precision)
    others = np.unique(
        [point.terms for points in alike(runtime, precision).values() for point in points], axis=0
    )
    for series, points in alike_aside(runtime, precision).items():
        if as_shipped(series) or _in_population(series) or len(points) <= FIVE:
            continue
        if recommended:
            by_place = {str(place): point.terms for place, point in enumerate(points)}
            draws = [[int(probe.name) for probe in choose_probes(by_place, population, others, count=FIVE)]]
        else:
            draws = _random_draws(series, points)
        for places in draws:
            known = [points[place] for place in sorted(places)]
            unseen = [point for place, point in enumerate(points) if place not in places]
            yield from _judged(series, fitted(series, known), known, unseen)


def _random_draws(series: Series, points: Sequence[Point]) -> list[list[int]]:
    """Five of as many families as ``profiles fit`` asks for, where there are so many."""
    families = min(4, len({point.family for point in points}))
    random = np.random.default_rng(zlib.crc32(repr(series).encode()))
    found: list[list[int]] = []
    while len(found) < _DRAWS:
        places = random.choice(len(points), FIVE, replace=False).tolist()
        if len({points[place].family for place in places}) >= families:
            found.append(places)
    return found


def judge_few(runtime: str, precision: str) -> Iterator[Judged]:
    """Boards of which only four models were published: each from the other three."""
    for series, points in alike_aside(runtime, precision).items():
        if as_shipped(series) or len(points) != FIVE - 1:
            continue
        for unseen in points:
            known = [point for point in points if point is not unseen]
            yield from _judged(series, fitted(series, known), known, [unseen])


def judge_more(runtime: str, precision: str) -> Iterator[Judged]:
    """Other models of boards that are in the population, but in no profile."""
    for series, points in alike_aside(runtime, precision).items():
        known = _in_population(series)
        if known and not as_shipped(series):
            yield from _judged(series, fitted(series, known), known, points)


def _in_population(series: Series) -> Sequence[Point]:
    """What calibration has of the same board, precision and threads."""
    for item, points in alike(series.runtime, series.precision).items():
        if (item.board, item.precision, item.threads) == (series.board, series.precision, series.threads):
            return points
    return ()


def _judged(
    series: Series, speed: Speed, known: Sequence[Point], unseen: Sequence[Point]
) -> Iterator[Judged]:
    pace = float(np.median([point.latency_ms / macs_of(point.terms) for point in known]))
    for point in unseen:
        found = predict_terms(series.board, speed, point.terms, np.zeros_like(point.terms))
        latency_ms = found.latency_ms
        yield Judged(
            series=series,
            point=point,
            predicted_ms=latency_ms.p50,
            inside=latency_ms.low <= point.latency_ms <= latency_ms.high,
            per_mac_ms=pace * macs_of(point.terms),
            marked=not found.in_domain,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good predictions were."""

    boards: int
    predictions: int
    median: float
    p90: float
    per_mac: float
    inside: float
    """Share of measurements in their intervals."""

    @classmethod
    def of(cls, entries: Sequence[Judged]) -> Verdict:
        off = [entry.error for entry in entries]
        return cls(
            boards=len({entry.series.board for entry in entries}),
            predictions=len(entries),
            median=float(np.median(off)),
            p90=float(np.quantile(off, 0.9)),
            per_mac=float(np.median([entry.per_mac_error for entry in entries])),
            inside=float(np.mean([entry.inside for entry in entries])),
        )

    def __str__(self) -> str:
        return (
            f"{self.boards:2} boards, {self.predictions:4} predictions: {self.median:6.1%}, {self.p90:6.1%}; "
            f"per MAC {self.per_mac:6.1%}; inside {self.inside:4.0%}"
        )


HOW: Mapping[str, Callable[[str, str], Iterator[Judged]]] = {
    "as shipped": judge_shipped,
    "known board, other models": judge_more,
    "new board, five at random": partial(judge_new, recommended=False),
    "new board, five recommended": partial(judge_new, recommended=True),
    "new board, three of four": judge_few,
}
RUNTIMES = ("tflite", "armnn", "tflite-xnnpack", "paddle-lite", "openvino", "rknn", "ncnn")
_ARM = ("iphone", "macbook-air", "macbook-pro-m1", "snapdragon", "azure-d64ps")
_X86 = ("amd", "aws-c5", "azure-d64as", "azure-d64s-", "intel", "macbook-pro-2019", "xeon")


def architecture(series: Series) -> str:
    """What ncnn's boards are told apart by: its population is of Arm cores, but for two of Intel's."""
    if series.runtime != "ncnn" or as_shipped(series):
        return ""
    return "Arm" if series.board.startswith(_ARM) else "x86" if series.board.startswith(_X86) else "others"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runtime", choices=RUNTIMES, action="append")
    parser.add_argument("--boards", action="store_true", help="each board by itself, too")
    asked = parser.parse_args()
    for runtime in asked.runtime or RUNTIMES:
        for precision in ("fp32", "int8"):
            for how, judge in HOW.items():
                if found := list(judge(runtime, precision)):
                    _show(f"{runtime} {precision}, {how}", found, boards=asked.boards)


def _show(title: str, found: Sequence[Judged], *, boards: bool) -> None:
    print(f"{title}: {Verdict.of(found)}", flush=True)
    parts = {architecture(entry.series) for entry in found}
    if boards:
        parts |= {entry.series.board for entry in found}
    for part in sorted(parts - {""}):
        own = [entry for entry in found if part in (architecture(entry.series), entry.series.board)]
        print(f"    {part}: {Verdict.of(own)}")


if __name__ == "__main__":
    main()
