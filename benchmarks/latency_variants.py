"""Changed widths and resolutions: latencies of one architecture's shapes, each predicted from the others and without any.

    python -m benchmarks.latency_variants                  # every runtime; about a minute
    python -m benchmarks.latency_variants --runtime tflite

Left out of every board at a time: one shape; all shapes of one width (the scale n, s or m of a YOLO); all of one
resolution; the whole family. Beside them stands the median time per MAC of the family's other shapes on the same board.
Of Paddle-Lite the shapes took no part in calibration (``tests/simulation/data/aside/``).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.latency_aside import alike_aside
from edgekit.simulation.crossing import HeldOut, Point, cross_validate
from edgekit.simulation.published import Series, alike
from edgekit.simulation.terms import macs_of

_MOBILENET = re.compile(
    r"(?P<name>mobilenet_v\d(?:_large|_small)?)_(?:min_)?(?P<width>[\d.]+)_(?P<side>\d+)$"
)
_PADDLE = re.compile(r"paddle/(?P<name>\w+)_x(?P<width>\w+)$")
_YOLO = re.compile(r"(?P<name>yolov(?:6|8|10))(?P<width>[nsm])(?:-\w+)?$")
_QUALCOMM = re.compile(r"qai/(?P<name>quicksrnet|resnet(?=\d))(?P<width>\w+)$")
_SHAPES = (_MOBILENET, _PADDLE, _YOLO, _QUALCOMM)
RUNTIMES = ("tflite", "armnn", "tflite-xnnpack", "paddle-lite", "rknn", "qnn")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a published name says of a model."""

    architecture: str
    width: str
    side: str | None


def shape_of(point: Point) -> Shape | None:
    """None where the name tells none."""
    for pattern in _SHAPES:
        if found := pattern.match(point.model):
            groups = found.groupdict()
            return Shape(groups["name"], groups["width"], groups.get("side"))
    return None


def _shape(point: Point) -> str | None:
    return point.model if shape_of(point) else None


def _width(point: Point) -> str | None:
    shape = shape_of(point)
    return f"{shape.architecture} {shape.width}" if shape else None


def _side(point: Point) -> str | None:
    shape = shape_of(point)
    # of v3 there is one resolution: leaving it out would leave out the family
    return (
        f"{shape.architecture} {shape.side}"
        if shape and shape.side and "v3" not in shape.architecture
        else None
    )


def _family(point: Point) -> str | None:
    return point.family if shape_of(point) else None


PARTS: Mapping[str, Callable[[Point], str | None]] = {
    "shape": _shape,
    "width": _width,
    "resolution": _side,
    "family": _family,
}


def measured(runtime: str, precision: str) -> Mapping[Series, tuple[Point, ...]]:
    """The population; of Paddle-Lite also the shapes that were kept aside, which alone are judged."""
    return {**alike(runtime, precision), **_judged(runtime, precision)}


def _judged(runtime: str, precision: str) -> Mapping[Series, tuple[Point, ...]]:
    if runtime != "paddle-lite":
        return alike(runtime, precision)
    return {
        series: points
        for series, points in alike_aside(runtime, precision).items()
        if all(map(shape_of, points)) and len(points) > 1
    }


def left_out(runtime: str, precision: str, part: str) -> Iterator[HeldOut]:
    """Every shape of an architecture of which there are several, predicted without its ``part``."""
    judged = _judged(runtime, precision)
    several = _several(judged)
    part_of = PARTS[part]
    held_out = cross_validate(
        measured(runtime, precision),
        lambda point: part_of(point) if _architecture(point) in several else None,
    )
    for series in judged:
        yield from held_out[series]


def per_mac_errors(runtime: str, precision: str) -> Iterator[float]:
    """By the median time per MAC of the architecture's other shapes on the same board."""
    for points in _judged(runtime, precision).values():
        for point in points:
            kin = [
                other
                for other in points
                if other.model != point.model
                and _architecture(other) is not None
                and _architecture(other) == _architecture(point)
            ]
            if kin:
                pace = float(np.median([other.latency_ms / macs_of(other.terms) for other in kin]))
                yield abs(pace * macs_of(point.terms) / point.latency_ms - 1)


def _architecture(point: Point) -> str | None:
    shape = shape_of(point)
    return shape.architecture if shape else None


def _several(series: Mapping[Series, Sequence[Point]]) -> frozenset[str | None]:
    """Architectures of more than one shape."""
    models = {(_architecture(point), point.model) for points in series.values() for point in points}
    names = [name for name, _ in models if name is not None]
    return frozenset(name for name in names if names.count(name) > 1)


def summary(off: Sequence[float]) -> str:
    return f"{np.median(off):6.1%} {np.quantile(off, 0.9):6.1%}" if off else " " * 13


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runtime", choices=RUNTIMES, action="append")
    for runtime in parser.parse_args().runtime or RUNTIMES:
        for precision in ("fp32", "int8"):
            found = {part: list(left_out(runtime, precision, part)) for part in PARTS}
            if found["shape"]:
                shapes = len({entry.point.model for entry in found["shape"]})
                off = {part: [entry.error for entry in entries] for part, entries in found.items()}
                columns = "  ".join(f"{part} {summary(errors)}" for part, errors in off.items())
                print(
                    f"{runtime} {precision}: {shapes} shapes, {len(off['shape'])} predictions  {columns}  "
                    f"per MAC {summary(list(per_mac_errors(runtime, precision)))}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
