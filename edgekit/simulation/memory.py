"""Peak resident memory of a runner with a model, from the graph alone."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from edgekit.errors import ModelError
from edgekit.models.macs import UnknownShapeError
from edgekit.models.messages import one_line_errors
from edgekit.models.model import Model
from edgekit.models.shapes import free_dimensions
from edgekit.simulation.memory_holdings import Holdings
from edgekit.simulation.memory_onnx import onnx_holdings
from edgekit.simulation.memory_terms import FIRST, NAMES, PHASES, MemoryRuntime, Phase, Terms, memory_terms
from edgekit.simulation.memory_tflite import tflite_holdings
from edgekit.vocabulary import Arch, Precision

CONSTANTS = Path(__file__).with_name("memory.toml")
_SAME: Mapping[str, MemoryRuntime] = {"tflite-xnnpack": "litert", "tflite-runtime": "litert"}
"""Runtimes that keep memory as another does: the same code, by another name."""
_COMPUTED_IN: Mapping[str, Precision] = {"static": "int8", "dynamic": "int8-dynamic"}
"""First word of how a model is quantized -> what its activations are computed in."""
_INTEGER_BYTES = 1
_FLOAT_BYTES = 4
"""fp16 too: CPUs of these runtimes compute it in float32, or take the same room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPercent:
    median: float
    p90: float
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryConstants:
    """Of one runtime and precision, as ``benchmarks/memory.py`` measured and fitted them."""

    version: str
    arch: str
    kind: str
    """``measured`` or ``emulated``."""
    constants: Mapping[Phase, Mapping[str, float]]
    error_pct: ErrorPercent
    """For families of models that took no part in the fit."""
    interval_factor: float
    measurements: int

    def vector(self, phase: Phase) -> Terms:
        return np.array([self.constants[phase].get(name, 0.0) for name in NAMES])


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPrediction:
    """Bytes resident at the peak of loading and running, in a runner's process of its own."""

    peak: int
    low: int
    high: int
    """Four of five measurements of models of other families lay between ``low`` and ``high``."""
    phase: Phase
    """Which of the two is the peak."""
    base: int
    """What the runtime takes without a model."""
    error_pct: ErrorPercent
    arch: str
    """Of the machine that constants are from."""
    kind: str
    """``measured``, or ``emulated`` where that machine was."""

    @property
    def measured_on(self) -> str:
        return self.arch if self.kind == "measured" else f"{self.arch}, {self.kind}"


def has_memory_rule(runtime: str) -> bool:
    return _SAME.get(runtime, runtime) in get_args(MemoryRuntime)


def predict_memory(
    model: Model, runtime: str, precision: Precision, arch: Arch = FIRST
) -> MemoryPrediction | None:
    """The peak of ``model`` at ``precision`` on ``runtime``; None where no rule covers the two.

    Constants are those of ``arch``, and x86-64's where it has none for the two: ``measured_on`` says which.
    ModelError, one line, where the graph does not tell: free input shapes, shapes known only while running.
    """
    name, computed = _SAME.get(runtime, runtime), computed_in(model, precision)
    found = constants()
    known = found.get((name, computed, arch)) or found.get((name, computed, FIRST))
    if known is None or (model.tflite is not None and name != "litert"):
        return None
    terms = memory_terms(holdings_of(model, computed), cast("MemoryRuntime", name), known.arch)
    peaks = {phase: float(known.vector(phase) @ terms) for phase in PHASES}
    phase = max(PHASES, key=peaks.__getitem__)
    peak = peaks[phase]
    return MemoryPrediction(
        peak=round(peak),
        low=round(peak / known.interval_factor),
        high=round(peak * known.interval_factor),
        phase=phase,
        base=round(known.constants[phase]["base_mb"] * 1e6),
        error_pct=known.error_pct,
        arch=known.arch,
        kind=known.kind,
    )


def computed_in(model: Model, precision: Precision) -> Precision:
    """A quantized model computes as it does; where only its weights are narrow, in floats."""
    found = (model.quantization or "").split(maxsplit=1)
    return _COMPUTED_IN.get(found[0], "fp32") if found else precision


@one_line_errors
def holdings_of(model: Model, precision: Precision) -> Holdings:
    """What ``model`` holds at ``precision``. ModelError where a shape is not known before it runs."""
    if free := free_dimensions(model.inputs):
        raise ModelError(f"{model.path}: {free[0]}")
    element_bytes = _INTEGER_BYTES if precision == "int8" else _FLOAT_BYTES
    if model.tflite is not None:
        # a quantized file says of every tensor what it is
        return tflite_holdings(model, _FLOAT_BYTES if model.quantized else element_bytes)
    try:
        return onnx_holdings(model, element_bytes)
    except UnknownShapeError as error:
        raise ModelError(
            f"{model.path}: the shape of '{error}' is not known before it runs; "
            "fix the inputs with --shape, or export the model with fixed shapes"
        ) from None


@cache
def constants() -> Mapping[tuple[str, str, str], MemoryConstants]:
    """What is known, by runtime, precision and architecture."""
    found = tomllib.loads(CONSTANTS.read_text(encoding="utf-8"))["memory"]
    return {(entry["runtime"], entry["precision"], entry["arch"]): _read(entry) for entry in found}


def _read(entry: Mapping[str, Any]) -> MemoryConstants:
    return MemoryConstants(
        version=entry["version"],
        arch=entry["arch"],
        kind=entry["kind"],
        constants={phase: entry[phase] for phase in PHASES},
        error_pct=ErrorPercent(**entry["error_pct"]),
        interval_factor=entry["interval_factor"],
        measurements=entry["measurements"],
    )
