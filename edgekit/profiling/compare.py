"""Compare whatever two things the user names: bundles and models are measured now, files are read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from edgekit.devices import Device
from edgekit.errors import EdgekitError
from edgekit.profiling.comparison import Comparison
from edgekit.profiling.files import read_measurements
from edgekit.profiling.inputs import runnable
from edgekit.profiling.live import compare_bundles
from edgekit.profiling.measure import Extent, profile
from edgekit.profiling.record import Measurement
from edgekit.profiling.stored import compare_measurements
from edgekit.progress import Advance

Shapes = Mapping[str, tuple[int, ...]]


def compare(
    a: str,
    b: str,
    device: Device,
    *,
    threads: int,
    duration_s: float,
    shapes: Shapes | None = None,
    advance: Advance | None = None,
) -> Comparison:
    """``b`` against ``a``: each a bundle, a model file, a zoo id, or a file that ``profile -o`` wrote.

    Two things to run are measured in turn, which resolves most; where one is a file, the other is measured now.
    EdgekitError where one is broken or cannot be compared with the other.
    """
    emulated = device.kind == "emulated"
    if _is_stored(a) or _is_stored(b) or emulated:
        sides = [_measurement(name, device, threads, duration_s / 2, shapes, advance) for name in (a, b)]
        comparison = compare_measurements(sides[0], sides[1])
        # what is counted needs no turns
        return replace(comparison, how="counted") if emulated else comparison
    with ExitStack() as stack:
        first, second = (stack.enter_context(runnable(name, shapes)) for name in (a, b))
        return compare_bundles(first, second, device, threads=threads, duration_s=duration_s, advance=advance)


def read_measurement(path: Path) -> Measurement:
    """The one measurement in a file of ``profile -o``; EdgekitError where there are more or it is broken."""
    found = read_measurements(path)
    if len(found) != 1:
        raise EdgekitError(
            f"{path}: compare takes files with one measurement, this one holds {len(found)}; make one with: "
            f"edgekit profile BUNDLE -o {path.name}"
        )
    return found[0]


def _is_stored(name: str) -> bool:
    return name.endswith(".json")


def _measurement(
    name: str, device: Device, threads: int, duration_s: float, shapes: Shapes | None, advance: Advance | None
) -> Measurement:
    if _is_stored(name):
        return read_measurement(Path(name))
    with runnable(name, shapes) as bundle:
        extent = Extent(duration_s=duration_s)
        return profile(bundle, device, threads=threads, extent=extent, advance=advance)
