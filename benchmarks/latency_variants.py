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

from benchmarks.latency_aside import alike_aside, macs
from edgekit.simulation.crossing import HeldOut, Point, cross_validate
from edgekit.simulation.published import Series, alike

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
    return f"{shape.architecture} {shape.side}" if shape and shape.side and "v3" not in shape.architecture else None


def _family(point: Point) -> str | None:
    return point.family if shape_of(point) else None


PARTS: Mapping[str, Callable[[Point], str | None]] = {
    "shape": _shape,
    "width": _width,
    "resolution": _side,
    "family": _family,
}


def measured(runtime: str, precision: str) -> Mapping[Series, tuple[Point, ...]]:
    """The population, and of Paddle-Lite the shapes that were kept aside."""
    shapes = alike_aside(runtime, precision) if runtime == "paddle-lite" else {}
    return {**alike(runtime, precision), **{key: points for key, points in shapes.items() if any(map(shape_of, points))}}


def left_out(runtime: str, precision: str, part: str) -> Iterator[tuple[Series, HeldOut]]:
    series = measured(runtime, precision)
    for key, entries in cross_validate(series, PARTS[part]).items():
        for entry in entries:
            if shape_of(entry.point) and (runtime != "paddle-lite" or entry.point.model.startswith("paddle/")):
                yield key, entry


def per_mac_errors(runtime: str, precision: str) -> Iterator[float]:
    """By the median time per MAC of the family's other shapes on the same board."""
    for points in measured(runtime, precision).values():
        for point in points:
            kin = [other for other in points if _related(other, point)]
            if kin and (runtime != "paddle-lite" or point.model.startswith("paddle/")):
                pace = np.median([other.latency_ms / macs(other) for other in kin])
                yield abs(float(pace) * macs(point) / point.latency_ms - 1)


def _related(other: Point, point: Point) -> bool:
    shape, own = shape_of(other), shape_of(point)
    return bool(shape and own and other.model != point.model and shape.architecture == own.architecture)


def summary(off: Sequence[float]) -> str:
    return f"{np.median(off):6.1%} {np.quantile(off, 0.9):6.1%}" if off else " " * 13


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", choices=RUNTIMES, action="append")
    for runtime in parser.parse_args().runtime or RUNTIMES:
        for precision in ("fp32", "int8"):
            found = {part: list(left_out(runtime, precision, part)) for part in PARTS}
            if found["shape"]:
                shapes = len({entry.point.model for _, entry in found["shape"]})
                errors = {part: [entry.error for _, entry in entries] for part, entries in found.items()}
                columns = "  ".join(f"{part} {summary(off)}" for part, off in errors.items())
                print(
                    f"{runtime:15}{precision}: {shapes} shapes, {len(errors['shape'])} predictions  {columns}  "
                    f"per MAC {summary(list(per_mac_errors(runtime, precision)))}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
