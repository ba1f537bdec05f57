"""Equalization, ranges, pairs, rounding: from a float model to its QDQ graph, within the bounds of an effort."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import onnx

from edgekit.quantization.calibration import FEWEST_FITTED
from edgekit.quantization.equalization import equalize, is_equalized
from edgekit.quantization.grading import Grader
from edgekit.quantization.insertion import Scheme, insert, quantized_tensors
from edgekit.quantization.rounding import round_weights
from edgekit.quantization.sharing import with_shared_ranges
from edgekit.quantization.unrounded import insert_around_activations
from edgekit.quantization.watching import observe

if TYPE_CHECKING:
    from edgekit.quantization.calibration import CalibrationFiles, Feeds
    from edgekit.quantization.effort import Bounds
    from edgekit.quantization.observers import Range, RangeMethod
    from edgekit.quantization.placement import FloatNodes
    from edgekit.quantization.progress import Told

WATCHING, FITTING = 0.3, 0.65
"""Shares of the time, for the progress."""
MARGIN_DB = 0.5
"""By which equalized channels must be nearer: the samples that tell are few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """A QDQ graph and how it came about."""

    model: onnx.ModelProto
    source: onnx.ModelProto
    """The float model it was made from: the one given, or that with equalized channels."""
    ranges: RangeMethod
    sqnr_db: float = math.nan
    """On samples that no weight was fitted on, where there are any."""
    fitted_layers: int = 0
    """Layers whose weights were fitted; the others' were rounded to the nearest."""
    notes: tuple[str, ...] = ()

    @property
    def equalized(self) -> bool:
        """Whether channels were made more alike, because that was nearer to the float model."""
        return is_equalized(self.source)

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

    The same model, samples and bounds give the same bytes on the same machine. What the lowest effort chooses from (the
    first of the ranges, of the given model and of the least equalized one) is graded beside, so that more effort is never
    worse on the samples that are kept back.
    """
    fit, test = samples.spread(bounds.samples_for(model))
    tensors = quantized_tensors(model, in_float, scheme)
    bench = _Bench(
        tensors=tensors, in_float=in_float, scheme=scheme, bounds=bounds, threads=threads, told=told,
        grader=Grader(model, test or fit, threads),
    )  # fmt: skip
    trials = bench.trials([model, *equalize(model, tensors, fit, bounds.exponents, threads)], samples)
    if not bounds.fits or len(fit) < FEWEST_FITTED:
        best = max(map(bench.rounded, trials), key=lambda made: _preference(made.sqnr_db, made.source))
        if not bounds.fits:
            return best
        return best.noted(f"weights rounded to the nearest: {len(fit)} samples are too few to fit them on")
    ranked = sorted(
        trials, key=lambda trial: _preference(bench.activations_db(trial), trial.source), reverse=True
    )
    tries = [bench.rounded(trial) for trial in ranked[: len(bounds.methods) if bounds.fits == "all" else 1]]
    fitted = [
        bench.fitted(trial, fit, place / len(tries), 1 / len(tries)) for place, trial in enumerate(tries)
    ]
    lowest = [bench.rounded(trial) for trial in trials[: 2 * len(bounds.methods) : len(bounds.methods)]]
    best, better = (max(some, key=lambda trial: trial.sqnr_db) for some in ([*tries, *lowest], fitted))
    if better.sqnr_db > best.sqnr_db:
        return better
    if not better.fitted_layers:
        return best.noted("weights rounded to the nearest: no layer has weights of its own to fit")
    return best.noted("weights rounded to the nearest: fitting them did not help on other samples")


def _preference(sqnr_db: float, source: onnx.ModelProto) -> float:
    return sqnr_db - MARGIN_DB * is_equalized(source)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A float model, as given or with equalized channels, and one method's ranges of its activations."""

    source: onnx.ModelProto
    method: RangeMethod
    ranges: Mapping[str, Range]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What all trials of one quantization have in common."""

    tensors: Sequence[str]
    in_float: FloatNodes
    scheme: Scheme
    bounds: Bounds
    grader: Grader
    threads: int
    told: Told

    def trials(self, sources: Sequence[onnx.ModelProto], samples: CalibrationFiles) -> list[_Trial]:
        """Each of ``sources`` with each of the ranges."""
        count = len(samples)
        found = []
        for turn, source in enumerate(sources):

            def seen(number: int, turn: int = turn) -> None:
                again = f", channels equalized ({turn} of {len(sources) - 1})" if turn else ""
                part = (turn + number / count) / len(sources)
                self.told.say(WATCHING * part, f"ranges, sample {number} of {count}{again}")

            ranges = observe(
                source,
                self.tensors,
                samples,
                self.bounds.methods,
                threads=self.threads,
                at_zero=self.scheme.at_zero(source.graph),
                seen=seen,
            )
            found += [
                _Trial(source=source, method=method, ranges=with_shared_ranges(source.graph, ranges[method]))
                for method in self.bounds.methods
            ]
        return found

    def activations_db(self, trial: _Trial) -> float:
        """What rounding its activations alone leaves."""
        graph = insert_around_activations(trial.source, trial.ranges, self.in_float, self.scheme)
        return self.grader.sqnr_db(graph)

    def rounded(self, trial: _Trial) -> Quantized:
        """Its graph, weights rounded to the nearest."""
        graph = insert(trial.source, trial.ranges, self.in_float, self.scheme)
        return Quantized(
            model=graph, source=trial.source, ranges=trial.method, sqnr_db=self.grader.sqnr_db(graph)
        )

    def fitted(self, start: Quantized, samples: Sequence[Feeds], begin: float, share: float) -> Quantized:
        """``start`` with fitted weights. begin, share: of the fitting."""
        graph = onnx.ModelProto()
        graph.CopyFrom(start.model)

        def seen(done: int, total: int, layer: str) -> None:
            part = begin + share * done / total
            self.told.say(WATCHING + FITTING * part, f"weights, layer {done + 1} of {total}: {layer}")

        layers = round_weights(
            start.source, graph, samples, limit=self.scheme.weight_limit, threads=self.threads, seen=seen
        )
        return replace(start, model=graph, fitted_layers=layers, sqnr_db=self.grader.sqnr_db(graph))
