"""Put candidates to the test: a bundle of each in a work folder, asked, compared, and timed in turn."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import __version__
from edgekit.bundles.golden import GoldenTensors
from edgekit.bundles.manifest import Artifact, Io, Manifest, SourceModel, Timing
from edgekit.bundles.write import ARTIFACT, Parts, add_golden, lay_out, runtime_version
from edgekit.conversion.answers import Answers, Inputs, Verdict, ask, compare, write_inputs
from edgekit.conversion.integers import (
    EXACT_SUMS,
    FLOAT_KERNELS,
    Int8Artifact,
    comparing_options,
    device_options,
    int8_note,
    saturates_here,
)
from edgekit.conversion.prediction import Prediction
from edgekit.conversion.weights import narrow_elements, stored_weights
from edgekit.errors import DeviceError
from edgekit.host import detect
from edgekit.profiling.interleave import interleave
from edgekit.profiling.statistics import ratio_ci

if TYPE_CHECKING:
    from edgekit.conversion.candidates import Candidate
    from edgekit.conversion.choose import Entrant, Lost
    from edgekit.conversion.order import Intake
    from edgekit.conversion.workshop import Built
    from edgekit.devices import Device, RunnerSession
    from edgekit.models import Model
    from edgekit.vocabulary import Precision, RuntimeId

FINAL_ROUNDS = 24
"""Of timing in turn: on a busy machine the interval of a ratio needs some 20 pairs."""
HEAT_ROUNDS, HEAT_BLOCK_MS = 8, 30.0
"""Enough to see that one takes less than 0.8 of another's time."""
HOPELESS = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A candidate's bundle in the work folder, with its golden pair, and its figures."""

    folder: Path
    manifest: Manifest
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """The source model as it was given, run by its own runtime, and its answers to the evaluation samples."""

    intake: Intake
    device: Device
    threads: int
    inputs: Inputs
    bundle: Path
    answers: Answers
    known: dict[tuple[str, str, str], tuple[Verdict, GoldenTensors, str]] = field(default_factory=dict)
    """Artifact and runtime -> what came out; targets share artifacts."""
    by_kernels: dict[Path, Answers] = field(default_factory=dict)
    """The source model's answers by other kernels than its runtime takes by itself."""


def make_yardstick(intake: Intake, device: Device, work: Path, *, threads: int) -> Yardstick:
    """Ask the source model. DataError, DeviceError or ContractError where it cannot answer."""
    bundle = work / "source"
    inputs = write_inputs(intake.evaluation, intake.contract, work / "inputs")
    manifest = _source_manifest(intake)
    lay_out(
        bundle, Parts(manifest=manifest, artifact_files=_source_files(intake.model), contract=intake.contract)
    )
    answers = ask(bundle, inputs, intake.contract, device, threads=threads)
    golden = GoldenTensors(inputs=inputs.first, outputs=answers.outputs[0])
    raw = intake.evaluation.samples.items[0].load()
    add_golden(bundle, manifest, raw, golden, answers.predictions[0].to_json())
    return Yardstick(
        intake=intake, device=device, threads=threads, inputs=inputs, bundle=bundle, answers=answers
    )


def try_candidate(yardstick: Yardstick, candidate: Candidate, built: Built, folder: Path) -> Tried:
    """Lay the candidate's bundle out in ``folder`` and compare it with the source.

    DeviceError where it does not load or run, ContractError where its answers have no sense.
    """
    intake = yardstick.intake
    manifest = candidate_manifest(intake, candidate, built)
    files = {f"{ARTIFACT}/{name}": built.folder / name for name in built.reply["files"]}
    parts = Parts(
        manifest=_compared_as(manifest, candidate),
        artifact_files=files,
        contract=intake.contract,
        licence_files=intake.licence_files,
    )
    lay_out(folder, parts)
    key = (built.sha256, candidate.runtime.id, manifest.artifact.precision)
    if key not in yardstick.known:
        yardstick.known[key] = _examine(yardstick, folder, manifest)
    verdict, golden, prediction = yardstick.known[key]
    raw = intake.evaluation.samples.items[0].load()
    return Tried(
        folder=folder, manifest=add_golden(folder, manifest, raw, golden, prediction), verdict=verdict
    )


def integers_note(candidate: Candidate, tried: Tried, model: Model) -> str | None:
    """What is known on this machine of the int8 answers on the target; None where there is nothing to say."""
    if tried.manifest.reference is not None:
        return (
            f"int8 on {candidate.target.id}: verified here is {tried.manifest.reference.path}, the integers that the "
            "artifact was compiled from, by the reference kernels that the chip is made to match; not verified is "
            f"what the compiler made of it, which {candidate.target.id} alone can run"
        )
    artifact, runtime, target = tried.manifest.artifact, candidate.runtime, candidate.target
    found = Int8Artifact(
        path=tried.folder / artifact.path,
        format=artifact.format,
        precision=artifact.precision,
        wide_weights=runtime.int8_weight_bits == 8 or bool(model.quantized),
        version=runtime_version(runtime.id),
        in_float=FLOAT_KERNELS.items() <= artifact.runtime_options.items(),
    )
    return int8_note(target, runtime, found, is_host=target.id == "host")


def time_in_turn(
    yardstick: Yardstick, entrants: Sequence[Entrant], asked: Sequence[Precision], *, threads: int
) -> tuple[list[Entrant], list[Lost]]:
    """Time all entrants and the source model in turn on this machine: a short heat, then a final of the fast ones.

    The others come back ``out_of_final``, with the times of the heat. Who does not answer as it did, on other threads
    than those it was compared on, is lost.
    """
    lost: list[Lost] = []
    with ExitStack() as stack:
        start = partial(started, stack, yardstick.device, threads=threads)
        sessions = {"source": start(yardstick.bundle)}
        for entrant in entrants:
            try:
                sessions[str(entrant.folder)] = start(entrant.folder)
            except DeviceError as error:
                lost.append(
                    (entrant, f"with threads = {threads} its artifact does not run as it should: {error}")
                )
        entrants = [entrant for entrant in entrants if str(entrant.folder) in sessions]
        heat = _timed(entrants, interleave(sessions, rounds=HEAT_ROUNDS, block_ms=HEAT_BLOCK_MS), threads)
        heat = [replace(entrant, out_of_final=_hopeless(entrant, heat, asked)) for entrant in heat]
        finalists = [entrant for entrant in heat if not entrant.out_of_final]
        running = {name: sessions[name] for name in ("source", *(str(item.folder) for item in finalists))}
        final = _timed(finalists, interleave(running, rounds=FINAL_ROUNDS), threads)
    return [*final, *(entrant for entrant in heat if entrant.out_of_final)], lost


def started(stack: ExitStack, device: Device, bundle: Path, *, threads: int) -> RunnerSession:
    """The bundle, loaded and ready to be timed until ``stack`` closes. DeviceError where its golden pair fails."""
    session = stack.enter_context(device.start(bundle, threads=threads))
    session.load()
    session.run(1)  # and the golden pair is checked
    return session


def candidate_manifest(intake: Intake, candidate: Candidate, built: Built) -> Manifest:
    """The manifest of a candidate before it was tried."""
    link = candidate.chain[-1]
    # an already quantized model stays what it is
    precision = "int8" if intake.model.quantized else link.variant.precision
    return Manifest(
        edgekit=__version__,
        name=f"{intake.model.name}-{candidate.target.id}",
        task=intake.contract.schema.task,
        target=candidate.target.id,
        converter=candidate.converter,
        variant=candidate.variant,
        model=_source_model(intake),
        artifact=Artifact(
            path=f"{ARTIFACT}/{built.reply['artifact']}",
            format=link.emits,
            runtime=candidate.runtime.id,
            runtime_options={
                **link.converter.runtime_options,
                **device_options(candidate.target, candidate.runtime, precision, intake.model),
            },
            precision=precision,
            io=Io.model_validate(built.reply["io"]),
            source_nodes=dict(built.source_nodes),
        ),
        reference=_reference(built, precision),
        prediction=_prediction(built),
        steps=built.steps,
        files=(),
        notes=built.notes,
        licence=intake.model.licence,
    )


def _reference(built: Built, precision: Precision) -> Artifact | None:
    reply = built.reply.get("reference")
    if reply is None:
        return None
    facts = {**reply, "path": f"{ARTIFACT}/{reply['artifact']}", "precision": precision}
    del facts["artifact"]
    return Artifact.model_validate(facts)


def _prediction(built: Built) -> Prediction | None:
    """In the source model's names where they are known."""
    reply = built.reply.get("prediction")
    return None if reply is None else Prediction.model_validate(reply).named(built.source_nodes)


def _compared_as(manifest: Manifest, candidate: Candidate) -> Manifest:
    """The manifest with which this machine answers as the device does."""
    artifact = manifest.artifact
    options = comparing_options(candidate.target, candidate.runtime, artifact.precision)
    options = {**artifact.runtime_options, **options}
    return manifest.model_copy(update={"artifact": artifact.model_copy(update={"runtime_options": options})})


def _examine(yardstick: Yardstick, folder: Path, manifest: Manifest) -> tuple[Verdict, GoldenTensors, str]:
    intake = yardstick.intake
    answers = ask(folder, yardstick.inputs, intake.contract, yardstick.device, threads=yardstick.threads)
    source = source_answers(yardstick, manifest)
    # an already quantized model is held to what a mere repacking must keep
    precision: Precision = "fp32" if intake.model.quantized else manifest.artifact.precision
    stored = None if intake.model.quantized else (folder, manifest.answering)
    verdict = compare(source, answers, intake.contract, intake.evaluation, precision, stored)
    if reason := _unfolded(intake.model, folder, manifest.answering):
        verdict = replace(verdict, reason=reason)
    outputs = {
        name: answers.outputs[0][name].astype(array.dtype)
        for name, array in source.outputs[0].items()
        if name in answers.outputs[0]
    }
    golden = GoldenTensors(inputs=yardstick.inputs.first, outputs=outputs)
    return verdict, golden, answers.predictions[0].to_json()


def source_answers(yardstick: Yardstick, manifest: Manifest) -> Answers:
    """The source's; where it is quantized and the artifact brings a reference, by the kernels of that.

    Other kernels round other values: what a mere repacking must keep, no pair of them does.
    """
    if not yardstick.intake.model.quantized or manifest.reference is None:
        return yardstick.answers
    options = manifest.reference.runtime_options
    folder = yardstick.bundle.with_name(
        "source-" + "-".join(f"{key}-{value}" for key, value in options.items())
    )
    if folder not in yardstick.by_kernels:
        source = _source_manifest(yardstick.intake)
        artifact = source.artifact.model_copy(update={"runtime_options": options})
        parts = Parts(
            manifest=source.model_copy(update={"artifact": artifact}),
            artifact_files=_source_files(yardstick.intake.model),
            contract=yardstick.intake.contract,
        )
        lay_out(folder, parts)
        inputs, contract = yardstick.inputs, yardstick.intake.contract
        yardstick.by_kernels[folder] = ask(
            folder, inputs, contract, yardstick.device, threads=yardstick.threads
        )
    return yardstick.by_kernels[folder]


def _unfolded(model: Model, folder: Path, artifact: Artifact) -> str | None:
    """Why this is no longer the quantized model that was given: optimizers compute constants, quantized ones too."""
    if not model.quantized:
        return None
    before, after = (
        stored_weights(model.path, model.format),
        stored_weights(folder / artifact.path, artifact.format),
    )
    if not before or after is None or not narrow_elements(before) or narrow_elements(after):
        return None
    return f"its quantized weights were unfolded to float: {narrow_elements(before)} elements are four times as large"


def _timed(entrants: Sequence[Entrant], times: Mapping[str, list[float]], threads: int) -> list[Entrant]:
    machine, source = detect().cpu, times["source"]
    return [
        entrant.timed(
            times[str(entrant.folder)], timing_of(times[str(entrant.folder)], source, threads, machine)
        )
        for entrant in entrants
    ]


def _hopeless(entrant: Entrant, heat: Sequence[Entrant], asked: Sequence[Precision]) -> str:
    """Why the entrant need not be timed any further; empty where it must. It passed every other gate, as all here."""
    for other in heat:
        replaces_it = other.precision in asked or entrant.precision not in asked
        ratio, _, high = ratio_ci(other.times_ms, entrant.times_ms)
        if replaces_it and high < HOPELESS:
            return f"{other.candidate.label} takes {ratio:.2f} of its time"
    return ""


def timing_of(times_ms: list[float], source_ms: list[float], threads: int, machine: str) -> Timing:
    """The record of times taken in turn with the source model's, on ``threads`` of ``machine``."""
    ratio, low, high = ratio_ci(times_ms, source_ms)
    return Timing(
        p50_ms=round(statistics.median(times_ms), 4),
        source_p50_ms=round(statistics.median(source_ms), 4),
        ratio=round(ratio, 4),
        ratio_ci_low=round(low, 4),
        ratio_ci_high=round(high, 4),
        rounds=len(times_ms),
        threads=threads,
        machine=machine,
    )


def _source_model(intake: Intake) -> SourceModel:
    model = intake.model
    return SourceModel(
        name=model.name,
        sha256=model.sha256,
        size_bytes=model.size_bytes,
        licence=model.licence,
        origin=intake.origin,
        shapes=dict(model.shapes),
    )


def _source_files(model: Model) -> dict[str, Path]:
    folder = model.path.resolve().parent
    external = {f"{ARTIFACT}/{path.resolve().relative_to(folder)}": path for path in model.external_files}
    return {f"{ARTIFACT}/{model.path.name}": model.path, **external}


def _source_manifest(intake: Intake) -> Manifest:
    """The source model as a bundle of its own: names and layouts are its own by definition."""
    model = intake.model
    runtime: RuntimeId = "onnxruntime" if model.format == "onnx" else "litert"
    return Manifest(
        edgekit=__version__,
        name=model.name,
        task=intake.contract.schema.task,
        target="host",
        converter="source",
        model=_source_model(intake),
        artifact=Artifact(
            path=f"{ARTIFACT}/{model.path.name}",
            format=model.format,
            runtime=runtime,
            runtime_options=dict(EXACT_SUMS) if model.quantized and saturates_here(runtime) else {},
            precision="int8" if model.quantized else "fp32",
            io=Io.model_validate(
                {
                    side: [
                        {"name": spec.name, "source": spec.name, "transpose": None, "dtype": spec.dtype}
                        for spec in specs
                    ]
                    for side, specs in (("inputs", model.inputs), ("outputs", model.outputs))
                }
            ),
        ),
        steps=(),
        files=(),
    )
