"""Hand out the chosen trial as a bundle, with the others of the front in its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.manifest import Dropped
from edgekit.conversion.places import write_bundle
from edgekit.conversion.targets import target_notes
from edgekit.conversion.trial import integers_note

if TYPE_CHECKING:
    from edgekit.conversion.order import Order
    from edgekit.conversion.results import KeptBundle
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
            "calibration": bench.workshop.calibration_of(candidate, synthetic=order.data_free),
            "candidates": tuple(
                _other(tried.manifest.target, trial) for trial in pick.front if trial is not chosen
            ),
            "notes": (
                *tried.manifest.notes,
                told,
                *target_notes(candidate.target, bench.workshop.catalog.target("host")),
                *filter(None, [integers_note(candidate, tried, bench.workshop.model)]),
            ),
        }
    )
    return write_bundle(
        tried.folder, manifest, staging, order, reason=pick.reason, size_bytes=chosen.size_bytes
    )


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
