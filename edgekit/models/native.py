"""Let compiled code work on a model in a process of its own: a crash there is a sentence here.

onnx's checker, shape inference and version converter and onnxruntime are C++ that was not written for hostile
files; in a process of its own a fault, a hang or a flood of memory ends that process only.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edgekit.errors import ModelError
from edgekit.models.messages import in_our_words
from edgekit.telemetry import SWITCHED_OFF

_SCRIPT = Path(__file__).with_name("_native_steps.py")
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What a step made of a model, or why it did not."""

    ok: bool
    content: bytes

    @property
    def reason(self) -> str:
        """Why there is no answer, on one line."""
        return in_our_words(self.content.decode(errors="replace"))


def run_steps(where: str, steps: Sequence[tuple[str, bytes]]) -> list[Answer]:
    """Run ``(step, model)`` pairs in one new process; ModelError where it crashes or does not end.

    The steps stand at the end of ``_native_steps.py``.
    """
    # -I -S: nothing of the user's environment, of the current folder or of site hooks is imported
    command = [sys.executable, "-I", "-S", str(_SCRIPT), *_folders()]
    frames = b"".join(_piece(name.encode()) + _piece(model) for name, model in steps)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", **SWITCHED_OFF}
    try:
        done = subprocess.run(
            command, input=frames, capture_output=True, env=environment, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{where}: reading it did not end within {TIMEOUT_S} s; the file is not sound"
        ) from None
    answers = list(_answers(done.stdout))
    if len(answers) == len(steps):
        return answers
    raise ModelError(f"{where}: {_how_it_died(steps[len(answers)][0], done.returncode, done.stderr)}")


def run_step(where: str, step: str, model: bytes) -> Answer:
    """``run_steps`` for one step."""
    return run_steps(where, [(step, model)])[0]


def _folders() -> list[str]:
    """The folder of onnx, and the folders that its neighbours are imported from."""
    specs = [find_spec(name) for name in ("onnx", "onnxruntime", "numpy")]
    homes = [Path(spec.origin).parent for spec in specs if spec and spec.origin]
    return [str(homes[0]), *dict.fromkeys(str(home.parent) for home in homes)]


def _piece(content: bytes) -> bytes:
    return struct.pack("<q", len(content)) + content


def _answers(stream: bytes) -> Iterator[Answer]:
    pieces = []
    position = 0
    while position + 8 <= len(stream):
        (length,) = struct.unpack_from("<q", stream, position)
        position += 8 + length
        if position <= len(stream):
            pieces.append(stream[position - length : position])
    for status, content in zip(pieces[::2], pieces[1::2], strict=False):
        yield Answer(status == b"ok", content)


def _how_it_died(step: str, returncode: int, stderr: bytes) -> str:
    if returncode < 0:
        name = signal.Signals(-returncode).name
        return f"the file is damaged or hostile: onnx crashed ({name}) at step '{step}'"
    last = stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return f"step '{step}' ended without an answer: {last[:300] or f'exit code {returncode}'}"
