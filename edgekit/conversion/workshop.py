"""Make candidates: prepare, quantize, convert, each step in a worker and each finished step kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgekit import __version__
from edgekit.bundles.manifest import Calibration, Step
from edgekit.conversion.cache import FinishedStep, Key, StepCache, digest
from edgekit.conversion.keys import code_sha256, package_versions, tool_versions
from edgekit.conversion.qdq import GRID, IN_FLOAT, RANGES, quantize, sense
from edgekit.conversion.rescue import as_option
from edgekit.conversion.samples import SYNTHETIC
from edgekit.conversion.workers import run_worker
from edgekit.data import write_calibration
from edgekit.errors import WorkerError
from edgekit.paths import cache_dir
from edgekit.quantization.table import read_sensitivity
from edgekit.vocabulary import INT8_ARITHMETIC

if TYPE_CHECKING:
    from edgekit.catalog import Catalog
    from edgekit.catalog_schema import TargetRuntime, Variant
    from edgekit.conversion.candidates import Candidate, Link
    from edgekit.conversion.order import Intake
    from edgekit.conversion.protocol import ConversionReply, ConversionRequest, IoMap
    from edgekit.conversion.workers import Told
    from edgekit.data import CalibrationSet
    from edgekit.models import Model
    from edgekit.quantization.effort import Effort
    from edgekit.quantization.table import Sensitivity
    from edgekit.vocabulary import Task

Arguments = dict[str, str | int | float | bool | None]
Options = Mapping[str, str | int | float | bool]
Ranges = Mapping[str, tuple[float, float]]
_ENGINE = Path(__file__).parents[1]
_AS_EFFORT: Options = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A file on its way to the artifact."""

    path: Path
    sha256: str
    io: IoMap | None = None
    """None where names and layouts are the source model's."""
    ranges: Ranges | None = None
    """Of the activations, by their names in this file; None where the file says them or nobody asked."""
    in_float: tuple[str, ...] = ()
    """Operators of this file that edgekit's graph computes in float; none where the target has integers alone."""
    wide: tuple[str, ...] = ()
    """Those of them whose products and sums compute in 16 bits, where the target has no floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A candidate's artifact, and every step that led to it."""

    folder: Path
    reply: ConversionReply
    sha256: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    source_nodes: Mapping[str, str]
    """Operator name -> source node name, from all converters of the chain: the last one keeps what it was given."""


@dataclass(slots=True, kw_only=True)
class Workshop:
    """Makes artifacts of one model, from several threads where that is wanted; steps that candidates share are made once."""

    catalog: Catalog
    model: Model
    task: Task
    calibration: CalibrationSet | None
    threads: int
    effort: Effort
    """How much time quantization may take."""
    cache: StepCache
    logs: Path
    told: Told | None = None
    """Hears how far a long step is."""
    seen: dict[str, bool] = field(default_factory=dict, init=False)
    """Name of each step of this run -> whether an earlier run had made it."""
    failed: dict[str, WorkerError] = field(default_factory=dict, init=False)
    """Steps that failed in this run: candidates that share one do not try it again."""
    stopped: threading.Event = field(default_factory=threading.Event, init=False)
    """Set: workers under way are ended, and their steps fail."""
    _making: dict[str, threading.Lock] = field(default_factory=dict, init=False)
    """By step: who needs one that is being made waits for it."""

    @classmethod
    def open(
        cls,
        catalog: Catalog,
        intake: Intake,
        candidates: Sequence[Candidate],
        work: Path,
        *,
        threads: int,
        effort: Effort,
        told: Told | None = None,
    ) -> Workshop:
        """For ``candidates`` of one model, with the user's step cache; calibration data are encoded into ``work``."""
        calibration = None
        if intake.calibration is not None and any(map(_is_calibrated, candidates)):
            calibration = write_calibration(intake.calibration, intake.contract, work / "calibration")
        cache = cache_dir() / "conversion"
        return cls(
            catalog=catalog,
            model=intake.model,
            task=intake.contract.schema.task,
            calibration=calibration,
            threads=threads,
            effort=effort,
            told=told,
            cache=StepCache(cache / "steps"),
            logs=cache / "logs",
        )

    def calibration_of(self, candidate: Candidate, *, synthetic: bool) -> Calibration | None:
        """What the candidate's bundle says of its calibration data; None where it needed none."""
        used = self.calibration
        if used is None or not _is_calibrated(candidate):
            return None
        return Calibration(source=used.source, samples=used.samples, sha256=used.sha256, synthetic=synthetic)

    @property
    def reused(self) -> int:
        """Steps that an earlier run had finished."""
        return sum(self.seen.values())

    @property
    def made(self) -> int:
        return len(self.seen) - self.reused

    def build(self, candidate: Candidate, quantization: Options = _AS_EFFORT) -> Built:
        """Make the candidate's artifact. WorkerError (or what preparing raises) where that fails.

        quantization: options of edgekit's own quantization that go before what the effort says.
        """
        stage, notes, steps = self._start(candidate, quantization)
        finished: FinishedStep | None = None
        source_nodes: dict[str, str] = {}
        for link in candidate.chain:
            options = {**link.variant.options, **_int8_options(candidate.runtime, link.variant)}
            if link is candidate.chain[-1]:
                options |= candidate.runtime.build_options
            finished = self._convert(link, stage, options)
            reply = finished.reply
            steps += _tool_steps(link, stage.sha256, finished)
            notes += [f"{link.converter.id}: {line}" for line in reply["notes"]]
            source_nodes |= reply.get("source_nodes", {})
            stage = Stage(
                path=finished.artifact,
                sha256=finished.sha256,
                io=reply["io"],
                ranges=stage.ranges and _renamed(stage.ranges, reply.get("source_tensors", {})),
                in_float=_operators(stage.in_float, reply.get("source_nodes", {})),
                wide=_operators(stage.wide, reply.get("source_nodes", {})),
            )
        assert finished is not None  # a chain has a link
        return Built(
            folder=finished.folder,
            reply=finished.reply,
            sha256=finished.sha256,
            steps=tuple(steps),
            notes=tuple(dict.fromkeys(notes)),
            source_nodes=source_nodes,
        )

    def sensitivity(self, candidate: Candidate) -> Sensitivity:
        """What each layer loses alone, with the ranges of the candidate's plain int8. WorkerError where that fails."""
        prepared, options = self._prepare(), self._quantizing(candidate.keeping(()))
        quantized = self._quantize(prepared, options)
        done = self._sense(prepared, quantized, options)
        table, problems = read_sensitivity(done.artifact)
        if table is None:
            raise WorkerError("; ".join(problems))
        return table.rescued(candidate.kept_float)

    def _quantizing(self, candidate: Candidate) -> Options:
        """What the quantization of ``candidate`` depends on beside model and data."""
        options = {**_int8_options(candidate.runtime, candidate.quantizer.variant), "effort": self.effort}
        if self.calibration and self.calibration.source == SYNTHETIC:
            # noise excites other channels than data do: fitted to it BlazeFace loses 3 dB, equalized for it GhostNet 5
            options |= {"ranges": "minmax", "fits": "none", "equalize": False}
        if candidate.integers_alone:
            options |= {"gates_in_float": False}
        return (
            {**options, "float_nodes": as_option(candidate.kept_float)} if candidate.kept_float else options
        )

    def _start(self, candidate: Candidate, quantization: Options) -> tuple[Stage, list[str], list[Step]]:
        """What the first converter gets, with notes: the prepared model, quantized where the variant wants it so."""
        if self.model.format != "onnx":
            # workers run in a folder of their own
            return Stage(path=self.model.path.resolve(), sha256=self.model.sha256), [], []
        prepared = self._prepare()
        steps = [_own_step("prepare", "edgekit", __version__, {}, self.model.sha256, prepared)]
        variant = candidate.quantizer.variant
        if variant.quantized_by != "edgekit":
            return Stage(path=prepared.artifact, sha256=prepared.sha256), list(prepared.reply["notes"]), steps
        quantized = self._quantize(prepared, {**self._quantizing(candidate), **quantization})
        steps += [
            _own_step("quantize", run["tool"], run["version"], run["arguments"], prepared.sha256, quantized)
            for run in quantized.reply["tools"]
        ]
        stage = Stage(path=quantized.artifact, sha256=quantized.sha256)
        if variant.takes == "grid":
            ranges = json.loads((quantized.folder / RANGES).read_text())
            floats = tuple(json.loads((quantized.folder / IN_FLOAT).read_text()))
            stage = Stage(
                path=quantized.folder / GRID,
                sha256=quantized.sha256,
                ranges=ranges,
                in_float=() if candidate.integers_alone else floats,
                wide=floats if candidate.wide_products else (),
            )
        return stage, list(quantized.reply["notes"]), steps

    def _prepare(self) -> FinishedStep:
        key: Key = {
            "step": "prepare",
            "parent": self.model.sha256,
            "shapes": {name: list(shape) for name, shape in self.model.shapes.items()},
            "code": code_sha256(_ENGINE / "models"),
            "tools": package_versions(("onnx", "onnx_ir", "numpy")),
        }
        return self._step(key, self._prepare_into)

    def _prepare_into(self, out: Path) -> ConversionReply:
        from edgekit.models import prepare_onnx

        path = prepare_onnx(self.model, out / "model.onnx")
        return {
            "artifact": path.name,
            "files": [path.name],
            "io": {"inputs": [], "outputs": []},
            "tools": [],
            "notes": [],
        }

    def _quantize(self, prepared: FinishedStep, options: Options) -> FinishedStep:
        key = self._quantization_key("quantize", prepared.sha256, options)
        stage = Stage(path=prepared.artifact, sha256=prepared.sha256)

        def make(out: Path) -> ConversionReply:
            request = self._request(stage, out, "int8", options, calibrated=True)
            return quantize(request, log=self._log("quantization", key), told=self.told, stopped=self.stopped)

        return self._step(key, make)

    def _sense(self, prepared: FinishedStep, quantized: FinishedStep, options: Options) -> FinishedStep:
        key = self._quantization_key("sensitivity", [prepared.sha256, quantized.sha256], options)
        stage = Stage(path=prepared.artifact, sha256=prepared.sha256)

        def make(out: Path) -> ConversionReply:
            more = {**options, "qdq": str(quantized.artifact)}
            request = self._request(stage, out, "int8", more, calibrated=True)
            return sense(request, log=self._log("sensitivity", key), told=self.told, stopped=self.stopped)

        return self._step(key, make)

    def _quantization_key(self, step: str, parent: str | list[str], options: Options) -> Key:
        """What a step depends on that edgekit's own quantization does."""
        assert self.calibration is not None  # the plan gives up candidates that lack it
        return {
            "step": step,
            "parent": parent,
            "options": dict(options),
            "calibration": self.calibration.sha256,
            "code": [code_sha256(_ENGINE / room) for room in ("models", "quantization")],
            "tools": package_versions(("onnx", "onnxruntime", "numpy")),
        }

    def _convert(self, link: Link, stage: Stage, options: Options) -> FinishedStep:
        converter, variant = link.converter, link.variant
        folder = self.catalog.converter_dir(converter.id)
        # what takes a quantized file has no use for samples but to check that it answers as before
        looks = variant.needs_calibration or variant.quantized_by == "source"
        calibrated = looks and self.calibration is not None
        key: Key = {
            "step": "convert",
            "parent": stage.sha256,
            "io": stage.io,
            "ranges": stage.ranges if variant.takes == "grid" else None,
            "in_float": stage.in_float if variant.takes == "grid" else None,
            "wide": stage.wide if variant.takes == "grid" else None,
            "converter": converter.id,
            "precision": variant.precision,
            "options": dict(options),
            "task": self.task,
            "calibration": self.calibration.sha256 if calibrated and self.calibration else None,
            "code": code_sha256(folder),
            "tools": tool_versions(converter),
        }

        def make(out: Path) -> ConversionReply:
            request = self._request(stage, out, variant.precision, options, calibrated=calibrated)
            if variant.takes == "grid" and stage.ranges is not None:
                request["ranges"] = dict(stage.ranges)
                request["in_float"], request["wide"] = list(stage.in_float), list(stage.wide)
            log = self._log(converter.id, key)
            return run_worker(converter, folder, request, log=log, stopped=self.stopped)

        return self._step(key, make)

    def _request(
        self,
        stage: Stage,
        out: Path,
        precision: str,
        options: Options,
        *,
        calibrated: bool,
    ) -> ConversionRequest:
        calibration = str(self.calibration.folder) if calibrated and self.calibration else None
        return {
            "source": str(stage.path),
            "io": stage.io,
            "out_dir": str(out),
            "precision": precision,
            "options": dict(options),
            "calibration": calibration,
            "task": self.task,
            "threads": self.threads,
        }

    def _step(self, key: Key, make: Callable[[Path], ConversionReply]) -> FinishedStep:
        name = digest(key)
        with self._making.setdefault(name, threading.Lock()):
            if name in self.failed:
                raise self.failed[name]
            try:
                done = self.cache.get(key, make)
            except WorkerError as error:
                self.failed[name] = error
                raise
            self.seen.setdefault(name, done.reused)
            return done

    def _log(self, name: str, key: Key) -> Path:
        """A worker's log outlives a failure: the error names it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}-{digest(key)[:12]}.log"
        log.unlink(missing_ok=True)
        return log


def _is_calibrated(candidate: Candidate) -> bool:
    return candidate.quantizer.variant.needs_calibration


def _int8_options(runtime: TargetRuntime, variant: Variant) -> Options:
    """How the target's int8 kernels want it; nothing for float variants, which targets can then share."""
    if variant.precision not in INT8_ARITHMETIC:
        return {}
    return {
        "int8_activations": runtime.int8_activations,
        "int8_weight_bits": runtime.int8_weight_bits,
        "int8_pairs": variant.options.get("int8_pairs", "all"),
    }


def _renamed(ranges: Ranges, source_tensors: Mapping[str, str]) -> Ranges:
    """``ranges`` in the names of a converter's file."""
    return {name: ranges[source] for name, source in sorted(source_tensors.items()) if source in ranges}


def _operators(nodes: Sequence[str], source_nodes: Mapping[str, str]) -> tuple[str, ...]:
    """The operators of a converter's file that come of ``nodes``."""
    wanted = set(nodes)
    return tuple(sorted(name for name, node in source_nodes.items() if node in wanted))


def _own_step(
    variant: str, tool: str, version: str, arguments: Arguments, parent: str, done: FinishedStep
) -> Step:
    """A step of edgekit itself."""
    return Step(
        converter="edgekit",
        variant=variant,
        tool=tool,
        version=version,
        arguments=arguments,
        parent_sha256=parent,
        child_sha256=done.sha256,
        deterministic=True,
    )


def _tool_steps(link: Link, parent: str, done: FinishedStep) -> list[Step]:
    """One entry for each tool the worker ran; what lay between them is not kept, so parent and child are the same."""
    return [
        Step(
            converter=link.converter.id,
            variant=link.variant.name,
            tool=run["tool"],
            version=run["version"],
            arguments=run["arguments"],
            parent_sha256=parent,
            child_sha256=done.sha256,
            deterministic=run["tool"] not in link.converter.nondeterministic,
        )
        for run in done.reply["tools"]
    ]
