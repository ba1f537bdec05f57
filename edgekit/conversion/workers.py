"""Run a converter's worker out of process: its own home, scrubbed environment, time and memory limits.

A worker that crashes, hangs, eats the memory or answers nonsense is a :class:`WorkerError` with one line that
says so and the path of the log, never the end of the tool.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NoReturn

from edgekit.conversion.environments import environment_python
from edgekit.conversion.replies import check_reply
from edgekit.errors import WorkerError
from edgekit.staging import Scratch
from edgekit.telemetry import SWITCHED_OFF, opt_out

if TYPE_CHECKING:
    from edgekit.catalog_schema import Converter, WorkerLimits
    from edgekit.conversion.protocol import ConversionReply, ConversionRequest

POLL_S = 0.5
Told = Callable[[float, str], None]
"""Takes how much is done, 0 to 1, and what is under way."""
_LAUNCHER = Path(__file__).with_name("_launcher.py")
# LD_LIBRARY_PATH: some installations find the C++ runtime of numpy only through it
_PASSED_ON = ("LD_LIBRARY_PATH",)
_OUT_OF_MEMORY = ("out of memory", "bad_alloc", "Cannot allocate memory", "MemoryError", "std::length_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What is started: a file with ``convert(request) -> reply``, the interpreter for it, and its limits."""

    name: str
    python: Path
    file: Path
    limits: WorkerLimits


def run_worker(
    converter: Converter,
    folder: Path,
    request: ConversionRequest,
    *,
    log: Path,
    stopped: Event | None = None,
) -> ConversionReply:
    """Run ``folder/worker.py`` on ``request``; all it prints is appended to ``log``. Raises WorkerError.

    stopped: as of :func:`launch`.
    """
    worker = Worker(
        name=converter.id,
        python=environment_python(converter, folder),
        file=folder / "worker.py",
        limits=converter.limits,
    )
    return launch(worker, request, log=log, stopped=stopped)


def launch(
    worker: Worker,
    request: ConversionRequest,
    *,
    log: Path,
    told: Told | None = None,
    stopped: Event | None = None,
) -> ConversionReply:
    """Run ``worker`` in a process group of its own and return its checked reply. Raises WorkerError.

    told: called with how much is done (0 to 1) and what is under way, as the worker says it.
    stopped: once set, the worker is ended, within ``POLL_S``.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    earlier = log.stat().st_size if log.exists() else 0
    with Scratch("worker") as room:
        status = _run(worker, request, room, log, told, stopped or Event())
        if stopped and stopped.is_set():
            _fail(worker, "was stopped", log)
        if status is None:
            _fail(worker, f"did not finish within {worker.limits.timeout_s} s and was stopped", log)
        if status != 0 or not (room / "reply.json").is_file():
            _fail(worker, _cause_of_death(worker, status, _printed(log, earlier)), log)
        answer = json.loads((room / "reply.json").read_text(encoding="utf-8"))
    if isinstance(answer, dict) and "error" in answer:
        error = str(answer["error"])
        _fail(worker, f"{_out_of_memory(worker)}: {error}" if _is_memory(error) else error, log)
    reply, problems = check_reply(answer, Path(request["out_dir"]))
    if reply is None:
        _fail(worker, "; ".join(problems), log)
    return reply


def worker_environment(
    home: Path, *, threads: int, inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The whole environment of a worker: no proxies, keys or user site, nothing that phones home."""
    passed_on = {name: inherited[name] for name in _PASSED_ON if name in inherited}
    thread_counts = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        # a bar repaints its line thousands of times, and a log keeps them all
        "TQDM_DISABLE": "1",
        # tools that would install their missing parts on the way
        "PIP_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        **SWITCHED_OFF,
        **thread_counts,
        **passed_on,
    }


def _run(
    worker: Worker,
    request: ConversionRequest,
    room: Path,
    log: Path,
    told: Told | None,
    stopped: Event,
) -> int | None:
    """Start the worker and wait; return its exit status (negative: the signal), None where it did not end by itself."""
    home = room / "home"
    (home / "tmp").mkdir(parents=True)
    opt_out(home)
    if told:
        request = {**request, "progress": str(room / "progress")}
    (room / "request.json").write_text(json.dumps(request))
    command = [worker.python, _LAUNCHER, worker.file, room / "request.json", room / "reply.json"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*map(str, command), str(worker.limits.memory_bytes), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=worker_environment(home, threads=request["threads"]),
            cwd=home,
            start_new_session=True,
        )
        try:
            return _wait(process, worker.limits.timeout_s, room / "progress", told, stopped)
        finally:  # also after Ctrl-C, and for children that outlive the worker
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(
    process: subprocess.Popen[bytes], timeout_s: float, progress: Path, told: Told | None, stopped: Event
) -> int | None:
    """Wait for the process, passing on what it says meanwhile; None where it takes too long or is stopped."""
    deadline = time.monotonic() + timeout_s
    while (left := deadline - time.monotonic()) > 0 and not stopped.is_set():
        try:
            return process.wait(min(left, POLL_S))
        except subprocess.TimeoutExpired:
            if told and progress.is_file():
                done, _, doing = progress.read_text(encoding="utf-8").partition(" ")
                told(float(done), doing)
    return None


def _cause_of_death(worker: Worker, status: int, printed: str) -> str:
    if _is_memory(printed):
        return _out_of_memory(worker)
    if status == -signal.SIGKILL:
        return "was killed, most likely because the machine ran out of memory"
    if status < 0:
        return f"crashed ({signal.Signals(-status).name})"
    return f"ended with status {status} without an answer"


def _is_memory(text: str) -> bool:
    return any(sign in text for sign in _OUT_OF_MEMORY)


def _out_of_memory(worker: Worker) -> str:
    return f"ran out of its {worker.limits.memory_bytes / 2**30:.1f} GiB of memory"


def _printed(log: Path, earlier: int) -> str:
    """The end of what was written to ``log`` after its first ``earlier`` bytes."""
    with log.open("rb") as file:
        file.seek(max(earlier, log.stat().st_size - 4096))
        return file.read().decode(errors="replace")


def _fail(worker: Worker, what: str, log: Path) -> NoReturn:
    raise WorkerError(f"converter '{worker.name}': {what.rstrip('.')}. Its output is in {log}")
