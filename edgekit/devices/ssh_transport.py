"""Files and a runner on a board over ssh: what :class:`LocalTransport` is for this machine."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from signal import SIGKILL
from typing import NoReturn

from edgekit.devices.board_agent import RUNNER_PID
from edgekit.devices.ssh_connection import Connection
from edgekit.devices.transport import LocalProcess, runner_environment
from edgekit.errors import DeviceError
from edgekit.staging import Scratch
from edgekit.telemetry import opt_out

_SSH_FAILED = 255
_SIGNALLED = 128
_EXHAUSTED = 0.1
"""Share of the memory below which a program's own pages are what the kernel drops next."""
_numbers = count(1)


class SshTransport:
    """One folder in the connection's work folder; ``python_path`` are folders on the board."""

    def __init__(self, connection: Connection, python_path: Sequence[str], *, where: str) -> None:
        """``where``: the bundle and the board, for messages."""
        self._connection, self._where = connection, where
        self._python_path = tuple(python_path)
        self._folder = f"{connection.work}/run-{next(_numbers)}"
        self._closed = False

    def send(self, source: Path, name: str) -> str:
        self._connection.push({name: source}, self._folder)
        return f"{self._folder}/{name}"

    def fetch(self, remote: str, into: Path) -> None:
        self._connection.pull(remote, into)

    def folder(self, name: str) -> str:
        path = f"{self._folder}/{name}"
        status, words = self._connection.run(f"mkdir -p {shlex.quote(path)}")
        if status:
            raise DeviceError(f"{self._connection.name}: {path} cannot be made: {words.strip()}")
        return path

    def start(self, module: str, arguments: Sequence[str], *, threads: int) -> SshProcess:
        home = f"{self._folder}/home"
        self._push_home(home)
        command = _runner_command(
            [self._connection.python, "-m", module, *arguments],
            {
                **runner_environment(home, threads),
                # nothing is left beside the board's own packages; ours are compiled when they are sent
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": ":".join(self._python_path),
                # packages of the board's user are the board's, though the runner has a home of its own
                "PYTHONNOUSERSITE": "",
                "PYTHONUSERBASE": str(self._connection.facts["user_base"]),
            },
            self._folder,
        )
        return SshProcess(self._connection, self._connection.start(command), self._folder, self._where)

    def close(self) -> None:
        if not self._closed:
            self._connection.clear(self._folder)
        self._closed = True

    def _push_home(self, home: str) -> None:
        with Scratch("home") as scratch:
            opt_out(scratch / "home")
            self._connection.push({"home": scratch / "home"}, home.rpartition("/")[0])


class SshProcess:
    """The runner on the board, seen through its ssh channel."""

    pid: int | None = None

    def __init__(self, connection: Connection, channel: LocalProcess, folder: str, where: str) -> None:
        self._connection, self._channel, self._folder, self._where = connection, channel, folder, where
        self.started = channel.started

    def write_line(self, line: str) -> None:
        try:
            self._channel.write_line(line)
        except BrokenPipeError:
            self._explain()
            raise

    def read_line(self, timeout_s: float) -> str | None:
        try:
            line = self._channel.read_line(timeout_s)
        except TimeoutError:
            self._thrashing(timeout_s)
            raise
        if line is None:
            self._explain()
        return line

    def last_words(self) -> str:
        return self._channel.last_words()

    def stop(self) -> int:
        if self._channel.status() is None:
            self._connection.clear(f"{self._folder}/running")
        return _status(self._channel.stop())

    def _explain(self) -> None:
        """Raise DeviceError where the end of the runner has a cause outside of it."""
        status = _status(self._channel.finish(timeout_s=5.0))
        if not self._connection.alive or status == _SSH_FAILED:
            self._connection.lost()
        if status == -SIGKILL:
            self._killed()

    def _thrashing(self, timeout_s: float) -> None:
        """Raise DeviceError where the board has no memory left to go on with, yet nothing was killed."""
        if not self._connection.alive:
            self._connection.lost()
        memory = self._connection.ask("memory")
        ram, available = memory["ram_bytes"], memory["available_bytes"]
        if ram and available is not None and available < _EXHAUSTED * ram:
            raise DeviceError(
                f"{self._where}: no answer within {timeout_s:.0f} s: {available / 1e6:.0f} of the board's "
                f"{ram / 1e6:.0f} MB of memory are left, too few to run in: it only reads its own programs again"
            )

    def _killed(self) -> NoReturn:
        memory = self._connection.ask("memory")
        ram, words = memory["ram_bytes"], memory["words"]
        of = f" of {ram / 1e6:.0f} MB" if ram else ""
        if words:
            raise DeviceError(
                f"{self._where}: does not fit into the memory{of}: the kernel killed the runner: {words}"
            )
        raise DeviceError(
            f"{self._where}: the runner was killed (SIGKILL). The kernel's log there has no word of it, or is kept "
            f"from this user; most often the memory{of} ran out"
        )


def _runner_command(command: Sequence[str], environment: dict[str, str], folder: str) -> str:
    """Start in a folder with nothing but that environment, and tell a signal by the status.

    The shell stays, since ssh does not pass on which signal ended a process. The runner offers itself to a kernel
    that runs out of memory, so that nothing of the board's own has to go.
    """
    running = shlex.quote(f"{folder}/running")
    words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items() if value), *command]
    return (
        f"mkdir -p {running} && cd {shlex.quote(folder)} || exit 1; "
        "{ echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null; "
        # in the background for its process id, which would leave it without input
        f"exec 3<&0; {' '.join(shlex.quote(word) for word in words)} <&3 & "
        f"echo $! >{running}/{RUNNER_PID}; exec 3<&-; wait $!; exit $?"
    )


def _status(status: int) -> int:
    """A shell's exit status as Python gives it: negative for a signal."""
    return _SIGNALLED - status if _SIGNALLED < status < _SIGNALLED + 65 else status
