"""A model's source, edgekit's bundles and its peers', asked the same samples and timed in turn by the same runner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.tools.onnx_model_utils import fix_output_shapes, make_input_shape_fixed

from benchmarks.peers import PEERS
from edgekit.bundles.golden import GoldenTensors
from edgekit.bundles.manifest import Artifact, Manifest
from edgekit.bundles.read import Bundle, read_bundle
from edgekit.bundles.write import ARTIFACT, Parts, add_golden, lay_out
from edgekit.catalog import load_catalog
from edgekit.conversion.answers import Answers, Verdict, ask, compare
from edgekit.conversion.cache import StepCache
from edgekit.conversion.order import Intake, Order, take_in
from edgekit.conversion.plan import TEXT_TASKS, plan
from edgekit.conversion.serve import open_ones
from edgekit.conversion.trial import Yardstick, make_yardstick, try_candidate
from edgekit.conversion.workshop import Workshop
from edgekit.data import CalibrationSet, write_calibration
from edgekit.devices import LocalDevice, RunnerSession
from edgekit.errors import EdgekitError
from edgekit.models.zoo import resolve
from edgekit.paths import cache_dir
from edgekit.profiling.interleave import Timed, interleave
from edgekit.quantization.calibration import CalibrationFiles
from edgekit.quantization.effort import Effort

Array = np.ndarray[Any, Any]
SOURCE = "onnxruntime fp32"
PER_CHANNEL_OPSET, NEW_OPSET = 13, 17
FLOAT = ("fp32", "fp16")
PROCESSES = 5
"""In which each bundle is timed: one network in two processes differs by some percent, by where its memory lies."""

Make = Callable[[Path, Path, Path], str]
"""Makes an artifact of (model, folder of calibration .npz, folder to write to); returns its file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A model and its samples, and what the source model answers to them."""

    model: str
    order: Order
    intake: Intake
    yardstick: Yardstick
    calibration: CalibrationSet
    threads: int
    scratch: Path

    @property
    def is_text(self) -> bool:
        return self.intake.contract.schema.task in TEXT_TASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """How near a bundle's answers are to the source's."""

    verdict: Verdict
    mean_cosine: float
    """Of the first float output; the verdict's is the smallest over the samples."""

    @property
    def sqnr_db(self) -> float:
        return self.verdict.fidelity.sqnr_db


@contextmanager
def quiet_home() -> Iterator[Path]:
    """A scratch folder that is also the home, which then holds no consent to anybody's statistics."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["EDGEKIT_CACHE"] = str(cache_dir().resolve())
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as scratch:
        os.environ["HOME"] = scratch
        yield Path(scratch)


def ground(model: str, scratch: Path, *, threads: int, effort: Effort, samples: int | None = None) -> Ground:
    """Read the model and ask it. ``samples``: at most so many to calibrate with and to compare on; None: as convert."""
    order = Order(
        model=resolve(model), targets=("host",), out=scratch / "out", threads=threads, effort=effort, samples=samples
    )  # fmt: skip
    intake = take_in(order)
    if intake.calibration is None:
        raise SystemExit(f"{model}: no calib/ beside the model")
    return Ground(
        model=model,
        order=order,
        intake=intake,
        yardstick=make_yardstick(intake, LocalDevice(), scratch / "yardstick", threads=threads),
        calibration=write_calibration(intake.calibration, intake.contract, scratch / "calibration"),
        threads=threads,
        scratch=scratch,
    )


def chosen(on: Ground) -> Bundle:
    """What ``edgekit convert`` keeps for this machine."""
    order = on.order
    command = [
        str(Path(sys.executable).with_name("edgekit")), "convert", on.model, "-t", "host", "--json",
        "-o", str(order.out), "--threads", str(on.threads), "--effort", order.effort,
        *(["--samples", str(order.samples)] if order.samples else []),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return read_bundle(Path(json.loads(done.stdout)["bundles"][0]["path"]))


def choice(manifest: Manifest) -> str:
    """Converter, precision and variant in a few words."""
    parts = (manifest.converter, manifest.artifact.precision, manifest.variant)
    return " ".join(part for part in parts if part)


def workshop(on: Ground) -> Workshop:
    """edgekit's own, which reuses what ``convert`` has made."""
    cache = cache_dir() / "conversion"
    return Workshop(
        catalog=load_catalog(),
        model=on.intake.model,
        task=on.intake.contract.schema.task,
        calibration=on.calibration,
        threads=on.threads,
        effort=on.order.effort,
        cache=StepCache(cache / "steps"),
        logs=cache / "logs",
    )


def candidates(on: Ground) -> tuple[dict[str, Path], dict[str, str]]:
    """Bundles of every narrow candidate that runs, and why the others do not."""
    bench, made, failed = workshop(on), {}, {}
    for candidate in open_ones(plan(bench.catalog, bench.catalog.target("host"), on.intake.wish)):
        if candidate.precision in FLOAT or candidate.variant == "ort":  # the same numbers as .onnx
            continue
        folder = on.scratch / "candidates" / candidate.label.replace(" ", "-")
        try:
            made[candidate.label] = try_candidate(
                on.yardstick, candidate, bench.build(candidate), folder
            ).folder
        except EdgekitError as error:
            failed[candidate.label] = str(error)
    return made, failed


def peer(on: Ground, name: str) -> Path:
    """The bundle of one of ``PEERS``."""
    runtime, make = PEERS[name]

    def made(model: Path, files: Path, out: Path) -> str:
        return make(model, CalibrationFiles(files), out, text=on.is_text)

    return peer_bundle(on, name, runtime, made)


def peer_bundle(on: Ground, name: str, runtime: str, make: Make) -> Path:
    """A bundle like edgekit's around what ``make`` returns, so that all are run by the same runner."""
    folder = on.scratch / "peers" / name.replace(" ", "-")
    made = folder / "made"
    made.mkdir(parents=True)
    path = make(_fixed(on.intake, made), on.calibration.folder, made)
    manifest = _as_peer(on, f"{ARTIFACT}/{path}", runtime)
    files = {f"{ARTIFACT}/{file.name}": file for file in made.iterdir() if file.stem == Path(path).stem}
    lay_out(folder, Parts(manifest=manifest, artifact_files=files, contract=on.intake.contract))
    answers = _answers(on, folder)
    golden = GoldenTensors(inputs=on.yardstick.inputs.first, outputs=_as_source(on, answers))
    raw = on.intake.evaluation.samples.items[0].load()
    add_golden(folder, manifest, raw, golden, answers.predictions[0].to_json())
    return folder


def closeness(on: Ground, bundle: Path) -> Closeness:
    """Ask the bundle every evaluation sample and compare."""
    source, answers = on.yardstick.answers, _answers(on, bundle)
    verdict = compare(source, answers, on.intake.contract, on.intake.evaluation, "int8")
    first = next(name for name, value in source.outputs[0].items() if value.dtype.kind == "f")
    pairs = zip(source.outputs, answers.outputs, strict=True)
    return Closeness(
        verdict=verdict, mean_cosine=float(np.mean([_cosine(a[first], b[first]) for a, b in pairs]))
    )


@dataclass(frozen=True, slots=True)
class _ProcessorTimed:
    """Processor time instead of the clock's: neighbours on a busy machine hardly touch it."""

    session: RunnerSession

    def run(self, runs: int, warmup: int = 0) -> list[float]:
        return list(self.session.timed_runs(runs, warmup).cpu_ms)


def timed(
    bundles: Mapping[str, Path], *, threads: int, rounds: int, processor_time: bool = False
) -> dict[str, list[float]]:
    """Median ms of each bundle in each round, all in turn in one run, in ``PROCESSES`` fresh processes of each.

    ``processor_time``: over all threads; says something of latency on one thread only.
    """
    found: dict[str, list[float]] = {name: [] for name in bundles}
    for place in range(PROCESSES):
        with ExitStack() as stack:
            sessions: dict[str, Timed] = {}
            for name, folder in bundles.items():
                session = stack.enter_context(LocalDevice().start(folder, threads=threads))
                session.load()
                sessions[name] = _ProcessorTimed(session) if processor_time else session
            part = rounds * (place + 1) // PROCESSES - rounds * place // PROCESSES
            for name, times_ms in interleave(sessions, rounds=part).items():
                found[name] += times_ms
    return found


def _answers(on: Ground, bundle: Path) -> Answers:
    return ask(bundle, on.yardstick.inputs, on.intake.contract, on.yardstick.device, threads=on.threads)


def _as_source(on: Ground, answers: Answers) -> dict[str, Array]:
    wanted = on.yardstick.answers.outputs[0]
    return {name: answers.outputs[0][name].astype(value.dtype) for name, value in wanted.items()}


def _as_peer(on: Ground, path: str, runtime: str) -> Manifest:
    source = read_bundle(on.yardstick.bundle).manifest
    artifact = Artifact.model_validate(
        source.artifact.model_dump()
        | {
            "path": path,
            "runtime": runtime,
            "format": "onnx" if runtime == "onnxruntime" else "openvino-ir",
            "runtime_options": {"INFERENCE_PRECISION_HINT": "f32"} if runtime == "openvino" else {},
            "precision": "int8",
        }
    )
    return source.model_copy(update={"artifact": artifact, "golden": None})


def _fixed(intake: Intake, out: Path) -> Path:
    """The source model with what edgekit does too before it quantizes, so that no peer loses by its lack.

    Input shapes are fixed (kernels for free ones are slower), and old opsets raised (before 13 onnxruntime writes
    scales per channel that it does not load).
    """
    model = onnx.load(intake.model.path)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < PER_CHANNEL_OPSET:
        model = onnx.version_converter.convert_version(model, NEW_OPSET)
    for name, shape in intake.model.shapes.items():
        make_input_shape_fixed(model.graph, name, shape)
    if intake.model.shapes:
        fix_output_shapes(model)
    path = out / "source.onnx"
    onnx.save(model, path)
    return path


def _cosine(a: Array, b: Array) -> float:
    x, y = np.ravel(a).astype(np.float64), np.ravel(b).astype(np.float64)
    return float(x @ y / max(np.linalg.norm(x) * np.linalg.norm(y), np.finfo(float).tiny))
