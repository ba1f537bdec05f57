"""edgekit's choice for this machine beside onnxruntime's and NNCF's own quantizers: one run, timed in turn.

    python benchmarks/golden_path.py [--models efficientnet-lite0,minilm-sentiment] [--threads 1] [--rounds 60]

Prints ratios to fp32 onnxruntime on the same threads, with 95 % intervals, and how close each stays to the source model
on samples that were not used for calibration. Never compare its figures with those of another run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import PEERS
from edgekit.bundles.manifest import Artifact, Manifest
from edgekit.bundles.read import Bundle, read_bundle
from edgekit.bundles.write import finish
from edgekit.contracts import LoadedContract, agreement
from edgekit.conversion.parity import Fidelity, fidelity
from edgekit.data import Samples, encode_sample, open_samples
from edgekit.devices import RunnerSession, open_device
from edgekit.models.zoo import resolve
from edgekit.paths import cache_dir
from edgekit.profiling import interleave, ratio_ci

Tensors = Mapping[str, np.ndarray[Any, Any]]
OURS = "edgekit"
SOURCE = "onnxruntime fp32"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="efficientnet-lite0,minilm-sentiment")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--samples", type=int, default=64, help="calibration samples")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["EDGEKIT_CACHE"] = str(cache_dir().resolve())
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as scratch:
        # a home that holds no consent to NNCF's statistics
        os.environ["HOME"] = scratch
        for model in options.models.split(","):
            _benchmark(model, Path(scratch), options)


def _benchmark(model: str, scratch: Path, options: argparse.Namespace) -> None:
    source = resolve(model)
    ours = _converted(model, scratch, options)
    contract = ours.contract()
    calibration = open_samples(source.parent / "calib", contract).subset(options.samples)
    evaluation = open_samples(source.parent / "eval", contract).subset(64)
    feeds = [encode_sample(sample, contract).tensors for sample in calibration.items]
    folders = {OURS: ours.folder}
    for name in PEERS:
        folders[name] = _peer(name, source, ours, feeds, scratch / model / name.replace(" ", "-"))
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(_loaded(folder, options.threads)) for name, folder in folders.items()
        }
        found = _fidelities(sessions, contract, evaluation)
        times = interleave(sessions, rounds=options.rounds)
    print(f"\n{model}: {options.threads} thread(s), {options.rounds} rounds in turn, {len(feeds)} calibration samples, "
          f"compared on {len(evaluation)} others; edgekit chose {_choice(ours.manifest)}")  # fmt: skip
    print(f"{'':24}{'time / fp32':>12}{'95 % interval':>18}{'SQNR dB':>10}{'cosine':>9}{'agreement':>11}")
    for name in sessions:
        ratio, low, high = ratio_ci(times[name], times[SOURCE])
        fidelity_ = found[name]
        print(f"{name:24}{ratio:>12.3f}{f'{low:.3f} - {high:.3f}':>18}{fidelity_.sqnr_db:>10.1f}{fidelity_.cosine:>9.4f}"
              f"{fidelity_.agreement or 0:>11.1%}")  # fmt: skip


def _choice(manifest: Manifest) -> str:
    return " ".join(
        part for part in (manifest.converter, manifest.artifact.precision, manifest.variant) if part
    )


def _converted(model: str, scratch: Path, options: argparse.Namespace) -> Bundle:
    command = [
        str(Path(sys.executable).with_name("edgekit")), "convert", model, "-t", "host", "--json", "-o", str(scratch / "out"),
        "--threads", str(options.threads), "--samples", str(options.samples),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return read_bundle(Path(json.loads(done.stdout)["bundles"][0]["path"]))


def _peer(name: str, source: Path, ours: Bundle, feeds: list[dict[str, Any]], folder: Path) -> Path:
    """A bundle like edgekit's around the peer's artifact, so that all are run by the same runner."""
    runtime, make = PEERS[name]
    made = folder / "artifact"
    made.mkdir(parents=True)
    text = ours.manifest.task in ("text-classification", "sentence-embedding")
    path = make(source, feeds, made, text=text)
    artifact = Artifact.model_validate(
        {
            "path": f"artifact/{path}",
            "format": "onnx" if runtime == "onnxruntime" else "openvino-ir",
            "runtime": runtime,
            "runtime_options": {"INFERENCE_PRECISION_HINT": "f32"} if runtime == "openvino" else {},
            "precision": "fp32" if name == SOURCE else "int8",
            "io": {
                side: [_same(tensor) for tensor in tensors]
                for side, tensors in _source_io(ours, feeds).items()
            },
        }
    )
    for kept in ours.folder.iterdir():
        if kept.name not in ("artifact", "manifest.json"):
            (folder / kept.name).write_bytes(kept.read_bytes())
    finish(folder, ours.manifest.model_copy(update={"artifact": artifact, "steps": ()}))
    return folder


def _source_io(ours: Bundle, feeds: list[dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    io = ours.manifest.artifact.io
    return {
        "inputs": [(tensor.source, str(feeds[0][tensor.source].dtype)) for tensor in io.inputs],
        "outputs": [(tensor.source, "float32") for tensor in io.outputs],
    }


def _same(tensor: tuple[str, str]) -> dict[str, Any]:
    name, dtype = tensor
    return {"name": name, "source": name, "transpose": None, "dtype": dtype}


def _loaded(folder: Path, threads: int) -> RunnerSession:
    session = open_device("local").start(folder, threads=threads)
    session.load()
    return session


def _fidelities(
    sessions: Mapping[str, RunnerSession], contract: LoadedContract, evaluation: Samples
) -> dict[str, Fidelity]:
    encoded = [contract.encode(sample.load()) for sample in evaluation.items]
    answers = {name: session.infer([item.tensors for item in encoded]) for name, session in sessions.items()}
    decoded = {
        name: [contract.decode(out, item.meta) for out, item in zip(outs, encoded, strict=True)]
        for name, outs in answers.items()
    }
    return {
        name: fidelity(
            answers[SOURCE], answers[name],
            agreements=[agreement(a, b) for a, b in zip(decoded[SOURCE], decoded[name], strict=True)],
        )
        for name in sessions
    }  # fmt: skip


if __name__ == "__main__":
    main()
