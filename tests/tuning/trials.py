"""Trials with figures of one's choice."""

from __future__ import annotations

from edgekit.bundles.manifest import Accuracy, Fidelity, Timing
from edgekit.quantization.observers import RangeMethod
from edgekit.tuning.record import Trial
from edgekit.tuning.space import Rounding
from edgekit.vocabulary import Precision

DATA = "eval: 1000 labelled samples"


def trial(
    number: int,
    *,
    ratio: float = 1.0,
    megabytes: float = 100.0,
    accuracy: float | None = 0.94,
    sqnr_db: float = 20.0,
    agreement: float = 1.0,
    candidate: str = "onnxruntime int8",
    ranges: RangeMethod | None = None,
    rounding: Rounding | None = None,
    threads: int = 1,
    precision: Precision = "int8",
    reason: str | None = None,
) -> Trial:
    """A trial whose source takes 10 ms and answers 95 % rightly."""
    found = Trial(
        number=number,
        candidate=candidate,
        converter="onnxruntime",
        variant="",
        precision=precision,
        runtime="onnxruntime",
        ranges=ranges,
        rounding=rounding,
        threads=threads,
        reason=reason,
    )
    if reason:
        return found
    return found.model_copy(
        update={
            "artifact_sha256": f"{number:064d}",
            "size_bytes": 1000,
            "fidelity": Fidelity(samples=1000, sqnr_db=sqnr_db, cosine=0.99, agreement=agreement, data=DATA),
            "accuracy": accuracy
            if accuracy is None
            else Accuracy(metric="top-1 accuracy", source=0.95, artifact=accuracy, samples=1000, data=DATA),
            "timing": Timing(
                p50_ms=10 * ratio,
                source_p50_ms=10,
                ratio=ratio,
                ratio_ci_low=ratio * 0.99,
                ratio_ci_high=ratio * 1.01,
                rounds=24,
                threads=threads,
                machine="a machine",
            ),
            "peak_bytes": int(megabytes * 1e6),
        }
    )
