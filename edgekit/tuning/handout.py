"""Hand out the chosen trial as a bundle, with the others of the front in its manifest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.manifest import Calibration, Dropped
from edgekit.bundles.write import finish, runtime_version
from edgekit.conversion.integers import Int8Artifact, int8_note
from edgekit.conversion.places import place_bundle, writing
from edgekit.conversion.results import KeptBundle
from edgekit.conversion.targets import target_notes

if TYPE_CHECKING:
    from edgekit.conversion.candidates import Candidate
    from edgekit.conversion.order import Order
    from edgekit.conversion.trial import Tried
    from edgekit.tuning.bench import Bench
    from edgekit.tuning.front import Pick
    from edgekit.tuning.record import Trial


def hand_out(order: Order, bench: Bench, pick: Pick, staging: Path, trials: Sequence[Trial]) -> KeptBundle:
    """Write the bundle of ``pick.chosen`` to its place in ``order.out``."""
    chosen = pick.chosen
    assert chosen is not None
    assert chosen.size_bytes is not None  # it was measured
    _, tried = bench.try_point(chosen.point)
    candidate = bench.space.candidates[chosen.candidate]
    told = (
        f"kept of {len(trials)} trials: {chosen.point.label}, {pick.reason}; "
        f"the source model was timed with threads = {bench.source_threads}"
    )
    manifest = tried.manifest.model_copy(
        update={
            "fidelity": chosen.fidelity,
            "accuracy": chosen.accuracy,
            "timing": chosen.timing,
            "calibration": _calibration(bench, candidate),
            "candidates": tuple(
                _other(tried.manifest.target, trial) for trial in pick.front if trial is not chosen
            ),
            "notes": (
                *tried.manifest.notes,
                told,
                *target_notes(candidate.target, bench.workshop.catalog.target("host")),
                *_integers(bench, candidate, tried),
            ),
        }
    )
    staged = staging / manifest.name
    with writing(order.out):
        shutil.copytree(tried.folder, staged)
        finished = finish(staged, manifest)
    path = place_bundle(staged, order.out, manifest.name, zipped=order.zipped)
    return KeptBundle(
        target=manifest.target,
        path=path,
        manifest=finished,
        reason=pick.reason,
        size_bytes=chosen.size_bytes,
    )


def _calibration(bench: Bench, candidate: Candidate) -> Calibration | None:
    used = bench.workshop.calibration
    if used is None or not candidate.chain[-1].variant.needs_calibration:
        return None
    return Calibration(source=used.source, samples=used.samples, sha256=used.sha256)


def _integers(bench: Bench, candidate: Candidate, tried: Tried) -> tuple[str, ...]:
    """What is known of int8 answers on the target, as ``convert`` says it."""
    artifact, runtime = tried.manifest.artifact, candidate.runtime
    found = Int8Artifact(
        path=tried.folder / artifact.path,
        format=artifact.format,
        precision=artifact.precision,
        wide_weights=runtime.int8_weight_bits == 8 or bool(bench.workshop.model.quantized),
        version=runtime_version(runtime.id),
    )
    note = int8_note(candidate.target, runtime, found, is_host=candidate.target.id == "host")
    return (note,) if note else ()


def _other(target: str, trial: Trial) -> Dropped:
    return Dropped(
        target=target,
        converter=trial.converter,
        precision=trial.precision,
        variant=" ".join(part for part in (trial.variant, trial.ranges, trial.rounding) if part),
        reason=f"on the front, on {trial.threads} threads",
        fidelity=trial.fidelity,
        accuracy=trial.accuracy,
        timing=trial.timing,
    )
