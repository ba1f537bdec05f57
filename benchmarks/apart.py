"""Peers whose packages do not go together with edgekit's: each gets an environment of its own when it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.paths import cache_dir

_WORKERS = Path(__file__).parent / "apart_workers"
_TIMEOUT_S = 3600


class PeerError(Exception):
    """It did not install or did not run; the message is its own last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A library and what has to be installed for it, torch first: later ones find it there and take no other."""

    name: str
    requirements: tuple[str, ...]


APART: Mapping[str, Peer] = {
    "aimet": Peer(name="AIMET-onnx", requirements=("torch==2.13.0", "aimet-onnx==2.42.0")),
    "quark": Peer(name="Quark", requirements=("torch==2.13.0", "amd-quark==0.13", "onnxruntime==1.32.0")),
    # its extra [onnx] brings onnxruntime-gpu and cupy
    "modelopt": Peer(
        name="ModelOpt",
        requirements=(
            "torch==2.13.0", "nvidia-modelopt==0.47.0", "onnx==1.21.0", "onnxruntime==1.32.0", "onnxscript==0.7.2",
            "onnx-graphsurgeon", "onnxconverter-common", "onnxslim", "polygraphy", "ml_dtypes", "cppimport", "lief",
        ),
    ),
}  # fmt: skip


def quantize_apart(peer: str, model: Path, files: Path, out: Path) -> str:
    """Have the peer write its int8 model into ``out``; its file's name. PeerError where that fails."""
    python = _environment(peer)
    made = out / "model.onnx"
    worker = [str(python), str(_WORKERS / f"with_{peer}.py"), str(model), str(files), str(made)]
    _run(worker, cwd=out)
    if not made.is_file():
        raise PeerError("it wrote no model")
    return made.name


def _environment(peer: str) -> Path:
    """The interpreter of the peer's environment."""
    folder = cache_dir() / "environments" / f"bench-{peer}"
    python = folder / "bin" / "python"
    finished = folder / "finished"
    if finished.is_file() and finished.read_text() == "\n".join(APART[peer].requirements):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    torch, *rest = APART[peer].requirements
    for wanted in ([torch], [torch, *rest]):
        _run([str(python), "-m", "pip", "install", "--quiet", *wanted])
    finished.write_text("\n".join(APART[peer].requirements))
    return python


def _run(command: list[str], cwd: Path | None = None) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_TIMEOUT_S
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PeerError(f"not done within {_TIMEOUT_S} s") from None
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise PeerError(lines[-1] if lines else f"exit code {done.returncode}")
