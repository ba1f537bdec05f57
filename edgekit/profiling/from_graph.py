"""A bundle on a device that nothing here stands for: predicted from the graph of its artifact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekit.errors import DeviceError
from edgekit.models import load_model
from edgekit.profiling.record import Estimate
from edgekit.simulation import Asked, estimate, profile_of
from edgekit.simulation.kin import akin
from edgekit.simulation.memory import predict_memory
from edgekit.vocabulary import PREDICTED

if TYPE_CHECKING:
    from edgekit.bundles import Bundle
    from edgekit.catalog import Catalog
    from edgekit.simulation import Prediction

_READ = ("onnx", "tflite")


def graph_estimate(bundle: Bundle, device: str, catalog: Catalog, threads: int) -> Estimate:
    """Latency and memory of ``bundle`` on ``device`` (``predicted:ID``). DeviceError where its runtime has no constants.

    threads: what was measured on so many is taken, where anything was; the estimate says which it is.
    """
    artifact = bundle.manifest.artifact
    elsewhere = f"From the source model, on what was measured there: edgekit estimate MODEL --on {device}"
    if artifact.format not in _READ:
        raise DeviceError(
            f"{device}: {bundle.path.name} is a {artifact.format}, whose graph is not read. {elsewhere}"
        )
    model = load_model(bundle.folder / artifact.path)
    runtimes = akin(artifact.runtime)
    found = estimate(model, [device], catalog, Asked(precision=artifact.precision))
    own = [item for item in found if item.speed.runtime in runtimes]
    if not own:
        known = ", ".join(dict.fromkeys(item.speed.runtime for item in found))
        raise DeviceError(
            f"{device}: nothing is known there of {artifact.runtime} {artifact.precision}, which {bundle.path.name} "
            f"needs; {known} was measured. {elsewhere}"
        )
    arch = profile_of(device, catalog).arch
    memory = predict_memory(model, artifact.runtime, artifact.precision, arch)
    return _record(_nearest(own, runtimes, threads), memory.peak if memory else None)


def _nearest(found: Sequence[Prediction], runtimes: Sequence[str], threads: int) -> Prediction:
    return min(
        found,
        key=lambda item: (runtimes.index(item.speed.runtime), item.speed.threads not in (threads, None)),
    )


def _record(item: Prediction, ram_bytes: int | None) -> Estimate:
    speed, latency = item.speed, item.latency_ms
    return Estimate(
        profile=item.device.removeprefix(PREDICTED),
        runtime=speed.runtime,
        runtime_version=speed.version,
        threads=speed.threads,
        latency_ms=latency.p50,
        low_ms=latency.low,
        high_ms=latency.high,
        error_median_pct=speed.error_pct.median,
        error_p90_pct=speed.error_pct.p90,
        outside=item.outside,
        ram_bytes=ram_bytes,
    )
