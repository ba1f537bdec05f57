"""How files and a process get to a device: everything that differs between here and a board over ssh."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from edgekit.staging import Scratch
from edgekit.telemetry import SWITCHED_OFF, opt_out

_TAIL_BYTES = 4096
# LD_LIBRARY_PATH: some installations find the C++ runtime of numpy only through it
_PASSED_ON = ("LD_LIBRARY_PATH",)


class Process(Protocol):
    """A started runner: lines in, lines out, and what it said on stderr."""

    @property
    def started(self) -> float:
        """``time.perf_counter()`` just before it was started."""

    @property
    def pid(self) -> int | None:
        """Its process id where that is one of this machine."""

    def write_line(self, line: str) -> None:
        """Send one line; BrokenPipeError where the process is gone."""

    def read_line(self, timeout_s: float) -> str | None:
        """The next line, None at the end of its output; TimeoutError when none came in time."""

    def last_words(self) -> str:
        """The end of its stderr."""

    def stop(self) -> int:
        """End it with all it started; its exit status, negative for a signal."""


class Transport(Protocol):
    """Carries files to a device and starts processes there."""

    def send(self, source: Path, name: str) -> str:
        """Bring a file or folder into the device's work folder as ``name``; its path there."""

    def fetch(self, remote: str, into: Path) -> None:
        """Bring a file back."""

    def folder(self, name: str) -> str:
        """Make an empty folder in the device's work folder; its path there."""

    def start(self, module: str, arguments: Sequence[str], *, threads: int) -> Process:
        """Start ``python -m module arguments`` in the work folder, scrubbed environment, own group."""

    def close(self) -> None:
        """Remove the work folder."""


class LocalTransport:
    """This machine: the work folder is a temporary one."""

    def __init__(self, python: Path | None = None) -> None:
        self._interpreter = python or Path(sys.executable)
        self._scratch = Scratch("runner")
        self._work = self._scratch.path

    def send(self, source: Path, name: str) -> str:
        target = self._work / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
        return str(target)

    def fetch(self, remote: str, into: Path) -> None:
        shutil.copyfile(remote, into)

    def folder(self, name: str) -> str:
        path = self._work / name
        path.mkdir()
        return str(path)

    def start(self, module: str, arguments: Sequence[str], *, threads: int) -> LocalProcess:
        home = self._work / "home"
        home.mkdir(exist_ok=True)
        opt_out(home)
        command = [*self._python(), "-m", module, *arguments]
        return LocalProcess(command, cwd=self._work, env=self._environment(home, threads))

    def close(self) -> None:
        self._scratch.close()

    def _python(self) -> Sequence[str]:
        """The command that ``-m MODULE`` is put behind."""
        return (str(self._interpreter),)

    def _environment(self, home: Path, threads: int) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {**runner_environment(str(home), threads), **passed_on}


class LocalProcess:
    """A child process in a group of its own, so that Ctrl-C reaches edgekit alone, which then ends it."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        self._errors = cwd / "stderr"  # a pipe that nobody reads would fill up and block
        with self._errors.open("wb") as errors:
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._lines = _LineReader(_pipe(self._process.stdout))

    def write_line(self, line: str) -> None:
        stdin = _pipe(self._process.stdin)
        stdin.write(line.encode() + b"\n")
        stdin.flush()

    def read_line(self, timeout_s: float) -> str | None:
        return self._lines.next(timeout_s)

    def last_words(self) -> str:
        with self._errors.open("rb") as errors:
            errors.seek(max(0, self._errors.stat().st_size - _TAIL_BYTES))
            return errors.read().decode(errors="replace").strip()

    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    def finish(self, timeout_s: float) -> int:
        """End its input and let it end by itself; killed where it does not in time."""
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self.stop()

    def stop(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()
        return self._process.wait()


class _LineReader:
    """Lines of a pipe with a time limit: blocks in poll(2), takes no processor time meanwhile."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._descriptor = pipe.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._rest = b""

    def next(self, timeout_s: float) -> str | None:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            left_ms = (deadline - time.monotonic()) * 1000
            if left_ms <= 0 or not self._poll.poll(left_ms):
                raise TimeoutError
            block = os.read(self._descriptor, 65536)
            if not block:
                return None
            self._rest += block
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # asked for with PIPE
    return pipe


def runner_environment(home: str, threads: int) -> dict[str, str]:
    """The whole environment of a runner with that home: nothing that phones home, threads as asked for.

    Bytecode is kept: uv compiles nothing when it installs, and each start would compile the runtime's Python anew.
    """
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
        "TMPDIR": home,
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": str(threads),
        **SWITCHED_OFF,
    }
