"""Run ``guest.py`` under qemu-user: this very Python on an older x86, or an aarch64 one on a given core."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.catalog import load_catalog
from edgekit.devices.emulated import Emulation
from edgekit.devices.emulated.board import find_board
from edgekit.devices.emulated.view import arm_python, make_view
from tests.emulation.guest import Array, main

BOARDS: Mapping[str, str] = {
    "Cortex-A53": "raspberry-pi-3",
    "Cortex-A72": "raspberry-pi-4",
    "Cortex-A76": "raspberry-pi-5",
}
"""Core -> a board with it."""
GUEST = Path(__file__).with_name("guest.py")
Questions = Mapping[Path, Sequence[Array]]
"""Artifact -> the samples for its first input; the files' names differ."""
_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """How to start Python on an emulated core."""

    command: tuple[str, ...]
    environment: Mapping[str, str]

    def answers(self, questions: Questions, work: Path) -> dict[str, Array]:
        """First outputs of each file to its samples, by the file's name; RuntimeError where the guest fails."""
        answers = work / "answers.npz"
        command = [*self.command, str(GUEST), str(answers), *_written(questions, work)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return _read(answers)


def older_x86(model: str = "Haswell") -> Guest:
    """This interpreter and its packages on an x86 without VNNI."""
    return Guest(command=("qemu-x86_64", "-cpu", model, sys.executable), environment=_environment())


def arm(folder: Path, emulation: Emulation, name: str) -> Guest:
    """The aarch64 Python and wheels on the board ``name``, whose view of itself is made in ``folder``."""
    board, view = find_board(name, load_catalog()), folder / name
    if not view.is_dir():
        make_view(view, emulation.sysroot, board)
    return Guest(
        command=arm_python(view, board),
        environment={**_environment(), "PYTHONPATH": str(emulation.site)},
    )


def here(questions: Questions, work: Path) -> dict[str, Array]:
    """What the same script answers on this machine."""
    answers = work / "here.npz"
    main(str(answers), *_written(questions, work))
    return _read(answers)


def missing(program: str) -> str | None:
    """Why the emulator cannot be used; None where it can."""
    return None if shutil.which(program) else f"no {program}: sudo apt-get install qemu-user"


def _environment() -> dict[str, str]:
    """One thread, and nothing of this process's own paths."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1", "PYTHONHASHSEED": "0"}


def _written(questions: Questions, work: Path) -> list[str]:
    """The guest's arguments: each file, and its samples in a file of their own."""
    arguments = []
    for number, (path, samples) in enumerate(questions.items()):
        inputs = work / f"inputs-{number}.npz"
        np.savez(inputs, *samples)
        arguments += [str(path), str(inputs)]
    return arguments


def _read(path: Path) -> dict[str, Array]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
