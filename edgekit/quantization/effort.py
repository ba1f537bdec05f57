"""How much time quantization may take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from edgekit.models.constants import known_shapes
from edgekit.models.liveness import Step, peak_bytes
from edgekit.quantization.calibration import FEWEST_FITTED
from edgekit.quantization.observers import RangeMethod

if TYPE_CHECKING:
    import onnx

Effort = Literal["fast", "normal", "max"]
Fits = Literal["best", "all"]
Options = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an effort allows."""

    methods: tuple[RangeMethod, ...]
    """Ways to choose activation ranges; all are tried, in one pass over the samples."""
    fits: Fits | None
    """Whether weights are fitted with the best of the ranges, with as many as there are methods, or rounded to the
    nearest."""
    samples: int
    """That weights are fitted on, where memory allows."""
    exponents: tuple[float, ...]
    """Models with channels equalized by so much are tried beside the given one; with 1 all peaks are equal."""
    memory_bytes: int = 1024 * 2**20
    """What the feature maps of these samples may take."""

    def samples_for(self, model: onnx.ModelProto) -> int:
        """How many samples of ``model`` (shapes inferred) keep to both."""
        constants = {tensor.name for tensor in model.graph.initializer}
        sizes = {
            name: 4 * math.prod(sides)
            for name, sides in known_shapes(model.graph).items()
            if name not in constants
        }
        steps = [Step(frozenset(node.input) - constants, frozenset(node.output)) for node in model.graph.node]
        inputs = [value.name for value in model.graph.input]
        float_bytes = peak_bytes(steps, sizes, inputs, [value.name for value in model.graph.output])
        int8_bytes = float_bytes // 4  # both models run side by side
        affordable = self.memory_bytes // max(1, float_bytes + int8_bytes)
        return max(FEWEST_FITTED, min(self.samples, affordable))


def effort_of(options: Options) -> Effort:
    """The effort that a worker's options name."""
    return cast("Effort", options.get("effort", "normal"))


EFFORTS: Mapping[Effort, Bounds] = {
    "fast": Bounds(methods=("minmax",), fits=None, samples=16, exponents=(0.5,)),
    "normal": Bounds(
        methods=("minmax", "percentile", "mse"), fits="best", samples=32, exponents=(0.5, 0.75, 1.0)
    ),
    "max": Bounds(
        methods=("minmax", "percentile", "mse", "entropy"), fits="all", samples=64, exponents=(0.5, 0.75, 1.0)
    ),
}


def bounds_of(options: Options) -> Bounds:
    """The bounds of the options' effort; ``ranges``, ``fits`` and ``equalize`` go before its own.

    ranges: a method. fits: none, best, all. equalize: False for samples that say nothing of single channels.
    """
    bounds = EFFORTS[effort_of(options)]
    if "ranges" in options:
        ranges = _one_of("ranges", options, get_args(RangeMethod))
        bounds = replace(bounds, methods=(cast("RangeMethod", ranges),))
    if "fits" in options:
        fits = _one_of("fits", options, ("none", *get_args(Fits)))
        bounds = replace(bounds, fits=None if fits == "none" else cast("Fits", fits))
    if "equalize" in options:
        bounds = replace(bounds, exponents=bounds.exponents if options["equalize"] else ())
    return bounds


def _one_of(key: str, options: Options, known: tuple[str, ...]) -> str:
    if options[key] not in known:
        raise ValueError(f"{key} '{options[key]}' is none of {', '.join(known)}")
    return str(options[key])
