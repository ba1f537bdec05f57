"""Ask TensorFlow Lite Micro itself: does it have every kernel, what arena does it need, what does it answer?

Run as a script in a process of its own: it prints its figures to the process's stderr and ends it where an arena is
too small.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ARENA_BYTES = 256 * 2**20
"""Given to the interpreter; it says how much of it was used."""
_ARENA = re.compile(r"Arena allocation total (\d+) bytes")
_NO_KERNEL = re.compile(r"Didn't find op for builtin opcode '(\w+)'")


@dataclass(frozen=True)
class Micro:
    """What TensorFlow Lite Micro says of a model."""

    arena_bytes: int | None
    """None where it does not run the model."""
    problem: str = ""
    outputs: tuple[tuple[Array, ...], ...] = ()
    """Of each sample, in the order of the model's outputs."""


def version() -> str:
    return importlib.metadata.version("tflite-micro")


def ask(model: Path, samples: list[list[Array]], scratch: Path) -> Micro:
    """Run ``model`` on ``samples`` (each in the order of its inputs)."""
    given, answered = scratch / "micro_in.npz", scratch / "micro_out.npz"
    _write(given, {f"{i}.{k}": value for i, sample in enumerate(samples) for k, value in enumerate(sample)})
    command = [sys.executable, __file__, str(model), str(given), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stderr, flush=True)  # into the worker's log
    arena = _ARENA.search(done.stderr)
    if done.returncode != 0 or arena is None:
        return Micro(arena_bytes=None, problem=_problem(done.stderr))
    with np.load(answered) as arrays:
        found = dict(arrays)
    return Micro(arena_bytes=int(arena[1]), outputs=tuple(_in_order(found, i) for i in range(len(samples))))


def _write(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def _problem(printed: str) -> str:
    missing = _NO_KERNEL.search(printed)
    if missing:
        return f"it has no kernel for {missing[1]}"
    last = next((line for line in reversed(printed.splitlines()) if line.strip()), "it ended without a word")
    return " ".join(last.split())


def _in_order(found: Mapping[str, Array], sample: int) -> tuple[Array, ...]:
    places = sorted(int(name.split(".")[1]) for name in found if name.split(".")[0] == str(sample))
    return tuple(found[f"{sample}.{place}"] for place in places)


def main(model: str, given: str, answered: str) -> None:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(model, arena_size=ARENA_BYTES)
    with np.load(given) as arrays:
        found = dict(arrays)
    outputs: dict[str, Array] = {}
    for sample in dict.fromkeys(int(name.split(".")[0]) for name in found):
        for place, value in enumerate(_in_order(found, sample)):
            interpreter.set_input(value, place)
        interpreter.invoke()
        place = 0
        while (output := _output(interpreter, place)) is not None:
            outputs[f"{sample}.{place}"] = output
            place += 1
    _write(Path(answered), outputs)
    interpreter.print_allocations()


def _output(interpreter: Any, place: int) -> Array | None:
    try:
        return np.array(interpreter.get_output(place))
    except (IndexError, RuntimeError):  # it does not say how many it has
        return None


if __name__ == "__main__":
    main(*sys.argv[1:])
