"""Equalization, ranges, pairs, rounding: from a float model to its QDQ graph, within the bounds of an effort."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import onnx

from edgekit.quantization.calibration import FEWEST_FITTED
from edgekit.quantization.equalization import divisors_of, equalize
from edgekit.quantization.grading import Grader
from edgekit.quantization.insertion import Scheme, insert, quantized_tensors
from edgekit.quantization.rounding import round_weights
from edgekit.quantization.watching import observe

if TYPE_CHECKING:
    from edgekit.quantization.calibration import CalibrationFiles, Feeds
    from edgekit.quantization.effort import Bounds
    from edgekit.quantization.observers import RangeMethod
    from edgekit.quantization.placement import FloatNodes
    from edgekit.quantization.progress import Told

WATCHING, FITTING = 0.3, 0.65
"""Shares of the time, for the progress."""
MARGIN_DB = 0.5
"""By which equalized channels must be nearer: the samples that tell are few, and their own peaks are among those that
the factors come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """A QDQ graph and how it came about."""

    model: onnx.ModelProto
    source: onnx.ModelProto
    """The float model it was made from: the one given, or that with equalized channels."""
    ranges: RangeMethod
    sqnr_db: float
    """On samples that no weight was fitted on, where there are any."""
    fitted_layers: int = 0
    """Layers whose weights were fitted; the others' were rounded to the nearest."""
    notes: tuple[str, ...] = ()

    @property
    def equalized(self) -> bool:
        """Whether channels were made more alike, because that was nearer to the float model."""
        return bool(divisors_of(self.source))

    def noted(self, line: str) -> Quantized:
        return replace(self, notes=(*self.notes, line))


def quantize(
    model: onnx.ModelProto,
    samples: CalibrationFiles,
    in_float: FloatNodes,
    scheme: Scheme,
    bounds: Bounds,
    *,
    threads: int,
    told: Told,
) -> Quantized:
    """Quantize ``model`` (prepared, shapes inferred) with what ``samples`` show.

    The same model, samples and bounds give the same bytes on the same machine.
    """
    fit, test = samples.spread(bounds.samples_for(model))
    grader = Grader(model, test or fit, threads)
    plain = _plain(model, samples, fit, grader, in_float, scheme, bounds, threads, told)
    ranked = sorted(plain, key=lambda item: MARGIN_DB * item.equalized - item.sqnr_db)
    best = ranked[0]
    if not bounds.fits:
        return best
    if len(fit) < FEWEST_FITTED:
        return best.noted(f"weights rounded to the nearest: {len(fit)} samples are too few to fit them on")
    tries = ranked[: len(bounds.methods) if bounds.fits == "all" else 1]
    fitted = [
        _fitted(item, fit, grader, scheme, threads, told, (place / len(tries), 1 / len(tries)))
        for place, item in enumerate(tries)
    ]
    better = max(fitted, key=lambda item: item.sqnr_db)
    if better.sqnr_db > best.sqnr_db:
        return better
    if not better.fitted_layers:
        return best.noted("weights rounded to the nearest: no layer has weights of its own to fit")
    return best.noted("weights rounded to the nearest: fitting them did not help on other samples")


def _plain(
    model: onnx.ModelProto,
    samples: CalibrationFiles,
    fit: list[Feeds],
    grader: Grader,
    in_float: FloatNodes,
    scheme: Scheme,
    bounds: Bounds,
    threads: int,
    told: Told,
) -> list[Quantized]:
    """``model`` and what equalization makes of it, with each of the ranges, weights rounded to the nearest."""
    tensors = quantized_tensors(model, in_float, scheme)
    sources = [model, *equalize(model, tensors, fit, bounds.exponents, threads)]
    made = []
    count = len(samples)
    for turn, source in enumerate(sources):

        def seen(number: int, turn: int = turn) -> None:
            part = (turn + number / count) / len(sources)
            again = ", channels equalized" if turn else ""
            told.say(WATCHING * part, f"ranges, sample {number} of {count}{again}")

        ranges = observe(source, tensors, samples, bounds.methods, threads=threads, seen=seen)
        for method in bounds.methods:
            graph = insert(source, ranges[method], in_float, scheme)
            made.append(Quantized(model=graph, source=source, ranges=method, sqnr_db=grader.sqnr_db(graph)))
    return made


def _fitted(
    start: Quantized,
    samples: list[Feeds],
    grader: Grader,
    scheme: Scheme,
    threads: int,
    told: Told,
    share: tuple[float, float],
) -> Quantized:
    """``start`` with fitted weights. ``share``: where in the fitting this begins, and how much of it this is."""
    graph = onnx.ModelProto()
    graph.CopyFrom(start.model)

    def seen(done: int, total: int, layer: str) -> None:
        part = share[0] + share[1] * done / total
        told.say(WATCHING + FITTING * part, f"weights, layer {done + 1} of {total}: {layer}")

    layers = round_weights(
        start.source, graph, samples, limit=scheme.weight_limit, threads=threads, seen=seen
    )
    return replace(start, model=graph, fitted_layers=layers, sqnr_db=grader.sqnr_db(graph))
