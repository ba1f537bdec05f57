"""Predicted peaks of a model against the memory that a target leaves to an application."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.catalog_schema import Target
from edgekit.models.model import Model
from edgekit.simulation.memory import MemoryPrediction, predict_memory
from edgekit.vocabulary import Precision, RuntimeId


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPeak:
    """What one runtime of a target would need at one precision."""

    runtime: RuntimeId
    precision: Precision
    usable_bytes: int
    memory: MemoryPrediction

    @property
    def exceeds(self) -> bool:
        """Even the lower end of the interval is more than there is."""
        return self.memory.low > self.usable_bytes

    @property
    def is_close(self) -> bool:
        """The interval reaches over what there is, or the prediction does, but not all of it."""
        return not self.exceeds and self.memory.high > self.usable_bytes

    @property
    def reason(self) -> str:
        """Why it does not fit, in words."""
        return (
            f"needs {_mib(self.memory.peak)} at its peak by prediction ({_mib(self.memory.low)} at the least; "
            f"{_mib(self.memory.base)} are {self.runtime} itself); "
            f"an application there has {_mib(self.usable_bytes)}"
        )


def peak_on(model: Model, target: Target, runtime: RuntimeId, precision: Precision) -> TargetPeak | None:
    """None where no rule covers runtime and precision. ModelError where the graph does not tell."""
    memory = predict_memory(model, runtime, precision, target.arch)
    if memory is None:
        return None
    return TargetPeak(
        runtime=runtime, precision=precision, usable_bytes=target.memory.usable_bytes, memory=memory
    )


def peaks_on(model: Model, target: Target) -> tuple[TargetPeak, ...]:
    """Of every runtime of ``target`` at every precision that a rule covers."""
    found = (
        peak_on(model, target, runtime.id, precision)
        for runtime in target.runtimes
        if not runtime.waits_for
        for precision in (runtime.precisions[:1] if model.quantized else runtime.precisions)
    )
    return tuple(peak for peak in found if peak is not None)


def _mib(value: int) -> str:
    return f"{value / 2**20:,.0f} MiB"
