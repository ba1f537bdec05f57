"""A bundle on a board that is not here: predicted from the instructions and cache misses of its emulated runtime."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from edgekit.devices.emulated import open_emulated
from edgekit.devices.emulated.board import SCHEME
from edgekit.errors import DeviceError
from edgekit.profiling.counted import count
from edgekit.profiling.record import Estimate
from edgekit.simulation import profile_of
from edgekit.simulation.count_predict import predict_counts
from edgekit.vocabulary import PREDICTED

if TYPE_CHECKING:
    from edgekit.bundles import Bundle
    from edgekit.catalog import Catalog
    from edgekit.catalog_schema import CountedSpeed
    from edgekit.profiling.record import Measurement
    from edgekit.progress import Advance

_RUNS = 2


def why_not_emulated(device: str, catalog: Catalog, threads: int) -> str | None:
    """Why nothing can be predicted from emulation on ``device`` (``predicted:ID``); None where it can."""
    try:
        _speed(device, catalog, threads)
        with closing(open_emulated(_emulated(device), catalog)) as board:
            return board.why_no_counts or None
    except DeviceError as error:
        return str(error)


def emulated_estimate(
    bundle: Bundle, device: str, catalog: Catalog, threads: int, *, advance: Advance | None = None
) -> tuple[Estimate, Measurement]:
    """The prediction, and the emulated run that it stands on. DeviceError where there is no way to one.

    threads: of the prediction; what one thread takes is counted in any case.
    """
    speed = _speed(device, catalog, threads)
    with closing(open_emulated(_emulated(device), catalog)) as board:
        if board.why_no_counts:
            raise DeviceError(f"{device}: {board.why_no_counts}")
        ran = count(bundle, board, threads=1, runs=_RUNS, advance=advance)
    assert ran.instructions is not None
    assert ran.memory_bytes is not None
    profile = profile_of(device, catalog)
    if not ran.instructions.cache_misses:
        raise DeviceError(
            f"{device}: profile '{profile.id}' lacks the sizes of the caches to count misses of"
        )
    found = predict_counts(speed, ran.context.runtime, ran.instructions)
    estimate = Estimate(
        level="emulation",
        profile=profile.id,
        runtime=speed.runtime,
        runtime_version=speed.version,
        emulated=f"{ran.context.runtime} {ran.context.runtime_version}",
        threads=speed.threads,
        latency_ms=found.latency_ms.p50,
        low_ms=found.latency_ms.low,
        high_ms=found.latency_ms.high,
        error_median_pct=speed.error_pct.median,
        error_p90_pct=speed.error_pct.p90,
        outside=found.outside,
        ram_bytes=ran.memory_bytes.peak,
    )
    return estimate, ran


def _emulated(device: str) -> str:
    return SCHEME + device.removeprefix(PREDICTED)


def _speed(device: str, catalog: Catalog, threads: int) -> CountedSpeed:
    """The profile's for ``threads``, which serve every runtime and precision."""
    profile = profile_of(device, catalog)
    for speed in profile.counted_speeds:
        if speed.threads == threads:
            return speed
    raise DeviceError(
        f"{device}: profile '{profile.id}' has no constants for emulated counts on {threads} thread(s)"
    )
