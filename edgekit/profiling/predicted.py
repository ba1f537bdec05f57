"""The record of what is predicted of a bundle: by the compiler of its artifact, from emulation, or from the graph."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from edgekit.bundles import Bundle
from edgekit.catalog import Catalog
from edgekit.errors import DeviceError
from edgekit.profiling.from_emulation import emulated_estimate, why_not_emulated
from edgekit.profiling.from_graph import graph_estimate
from edgekit.profiling.identity import identity
from edgekit.profiling.record import Measurement, OperatorTime, RunContext
from edgekit.progress import Advance
from edgekit.simulation import profile_of
from edgekit.vocabulary import PREDICTED

_LEVELS = ("emulation", "graph")
_LEVEL = "?from="


def predicted(
    bundle: Bundle,
    device: str,
    catalog: Catalog,
    *,
    threads: int = 1,
    told: Callable[[str], None] = lambda message: None,
    advance: Advance | None = None,
) -> Measurement:
    """``bundle`` on ``device``: ``predicted:ID``, or ``predicted:ID?from=graph`` (``emulation``) to insist on one way.

    Left open, a board is predicted from emulation where that is set up and the board has constants for it. ``told``
    hears why it is not, where only the setting up is missing. DeviceError where there is no way to a prediction.

    threads: wanted of a prediction for a CPU.
    """
    device, level = _parts(device)
    manifest, name = bundle.manifest, device.removeprefix(PREDICTED)
    foretold = manifest.prediction
    if foretold is None:
        return _by_constants(bundle, device, level, catalog, threads, told, advance)
    if manifest.target != name:
        raise DeviceError(
            f"{device}: {bundle.path} was compiled for {manifest.target} and runs nowhere else; "
            f"for the target: edgekit convert MODEL -t {name}"
        )
    target = catalog.target(name)
    cluster = catalog.profile(target.profile).cpu.clusters[0]
    return _record(
        bundle,
        device,
        prediction=foretold,
        operators=tuple(
            OperatorTime(name=item.name, op=item.op, ms=1000 * item.cycles / foretold.clock_hz)
            for item in foretold.operators
        ),
        operators_method=f"the cycles that {foretold.tool} {foretold.version} foretells of each",
        context=_context(
            machine=target.name,
            isa_features=target.isa_features,
            os=target.os,
            cpu=f"{foretold.accelerator} at {foretold.clock_hz / 1e6:.0f} MHz beside {cluster.core}",
            cores=target.threads,
            threads=target.threads,
            runtime=manifest.artifact.runtime,
            runtime_version=f"(not run; {foretold.tool} {foretold.version})",
            runtime_options={"system_config": foretold.system_config, "memory_mode": foretold.memory_mode},
        ),
    )


def _parts(spec: str) -> tuple[str, str]:
    """The device and the level that is insisted on, empty where none is."""
    device, _, level = spec.partition(_LEVEL)
    if (level and level not in _LEVELS) or "?" in device:
        raise DeviceError(
            f"'{spec}': after {device.partition('?')[0]} comes nothing, or {_LEVEL}{' or '.join(_LEVELS)}"
        )
    return device, level


def _by_constants(
    bundle: Bundle,
    device: str,
    level: str,
    catalog: Catalog,
    threads: int,
    told: Callable[[str], None],
    advance: Advance | None,
) -> Measurement:
    if level == "graph":
        return _by_graph(bundle, device, catalog, threads)
    why_not = why_not_emulated(device, catalog, threads)
    if why_not and level:
        raise DeviceError(why_not)
    if why_not:
        if profile_of(device, catalog).counted_speeds:
            told(f"predicted from the graph; from emulation, which is more exact, it cannot be: {why_not}")
        return _by_graph(bundle, device, catalog, threads)
    found, ran = emulated_estimate(bundle, device, catalog, threads, advance=advance)
    cores = profile_of(device, catalog).cpu.clusters[0].cores
    return ran.model_copy(
        update={
            "device": device,
            "kind": "predicted",
            "estimate": found,
            "operators_method": "the model is predicted as a whole",
            "context": ran.context.model_copy(update={"cores": cores, "threads": found.threads or cores}),
        }
    )


def _by_graph(bundle: Bundle, device: str, catalog: Catalog, threads: int) -> Measurement:
    found = graph_estimate(bundle, device, catalog, threads)
    board, name = profile_of(device, catalog), device.removeprefix(PREDICTED)
    clusters = board.cpu.clusters
    cores = sum(cluster.cores for cluster in clusters)
    return _record(
        bundle,
        device,
        estimate=found,
        operators=(),
        operators_method="the graph is predicted as a whole",
        context=_context(
            machine=board.name,
            isa_features=board.cpu.isa_features,
            os=catalog.targets[name].os if name in catalog.targets else "unknown",
            cpu=" and ".join(f"{cluster.cores} {cluster.core}" for cluster in clusters),
            cores=cores,
            threads=found.threads or cores,
            runtime=found.runtime,
            runtime_version=f"{found.runtime_version} (not run)",
            runtime_options={},
        ),
    )


def _record(bundle: Bundle, device: str, **figures: Any) -> Measurement:
    return Measurement(
        **identity(bundle, device, "predicted"),
        latency_ms=None,
        duration_s=0.0,
        taken_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        **figures,
    )


def _context(
    *,
    machine: str,
    isa_features: tuple[str, ...],
    os: str,
    cpu: str,
    cores: int,
    threads: int,
    runtime: str,
    runtime_version: str,
    runtime_options: dict[str, str],
) -> RunContext:
    """Of hardware that is not here: how busy and how warm it is has no meaning."""
    return RunContext(
        machine=machine,
        cpu=cpu,
        isa_features=isa_features,
        cores=cores,
        threads=threads,
        governor=None,
        load_average_1m=None,
        temperature_c=None,
        os=os,
        kernel="none",
        python="none",
        runtime=runtime,
        runtime_version=runtime_version,
        runtime_options=runtime_options,
    )


def check_runs_here(bundle: Bundle) -> None:
    """DeviceError where only the target's own chip runs the artifact: its stand-in's times say nothing of it."""
    manifest = bundle.manifest
    if manifest.reference is not None:
        raise DeviceError(
            f"{bundle.path}: its artifact runs on {manifest.target} alone, and nothing here can time it. What its "
            f"compiler foretells: edgekit profile {bundle.path} --on {PREDICTED}{manifest.target}"
        )
