"""The measurement that a bundle brings along: what the compiler of its artifact foretells of the target's chip."""

from __future__ import annotations

from datetime import UTC, datetime

from edgekit.bundles import Bundle
from edgekit.catalog import Catalog
from edgekit.errors import DeviceError
from edgekit.profiling.record import Measurement, OperatorTime, RunContext
from edgekit.vocabulary import PREDICTED


def predicted(bundle: Bundle, device: str, catalog: Catalog) -> Measurement:
    """``bundle`` on ``device`` (``predicted:TARGET``). DeviceError where the bundle was compiled for no such target."""
    manifest, name = bundle.manifest, device.removeprefix(PREDICTED)
    target = catalog.target(name)
    foretold = manifest.prediction
    if foretold is None or manifest.target != name:
        made = (
            f"for {manifest.target}"
            if foretold
            else f"for {manifest.target}, whose compiler foretells nothing"
        )
        raise DeviceError(
            f"{device}: {bundle.path} was made {made}; nothing runs there. From the graph: edgekit estimate MODEL "
            f"--on {device}; for the target: edgekit convert MODEL -t {name}"
        )
    cluster = catalog.profile(target.profile).cpu.clusters[0]
    return Measurement(
        bundle=bundle.path.name,
        bundle_sha256=bundle.sha256,
        model=manifest.model.name,
        target=manifest.target,
        precision=manifest.artifact.precision,
        converter=manifest.converter,
        device=device,
        kind="predicted",
        latency_ms=None,
        prediction=foretold,
        operators=tuple(
            OperatorTime(name=item.name, op=item.op, ms=1000 * item.cycles / foretold.clock_hz)
            for item in foretold.operators
        ),
        operators_method=f"the cycles that {foretold.tool} {foretold.version} foretells of each",
        context=RunContext(
            machine=target.name,
            cpu=f"{foretold.accelerator} at {foretold.clock_hz / 1e6:.0f} MHz beside {cluster.core}",
            isa_features=target.isa_features,
            cores=target.threads,
            threads=target.threads,
            governor=None,
            load_average_1m=None,
            temperature_c=None,
            os=target.os,
            kernel="none",
            python="none",
            runtime=manifest.artifact.runtime,
            runtime_version=f"(not run; {foretold.tool} {foretold.version})",
            runtime_options={"system_config": foretold.system_config, "memory_mode": foretold.memory_mode},
        ),
        duration_s=0.0,
        taken_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def check_runs_here(bundle: Bundle) -> None:
    """DeviceError where only the target's own chip runs the artifact: its stand-in's times say nothing of it."""
    manifest = bundle.manifest
    if manifest.reference is not None:
        raise DeviceError(
            f"{bundle.path}: its artifact runs on {manifest.target} alone, and nothing here can time it. What its "
            f"compiler foretells: edgekit profile {bundle.path} --on {PREDICTED}{manifest.target}"
        )
