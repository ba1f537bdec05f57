"""One connection to a board over the system's OpenSSH client, shared by everything that is done there.

The first ``ssh`` runs the agent (``board_agent.py``) and is the master of the others, which need no login of their
own (ControlMaster). It lives as long as its input, which ends with this process, however that ends; the agent then
cleans up. Nothing here ever asks a question (BatchMode), nor loosens the checking of host keys.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from edgekit.devices import board_agent
from edgekit.devices.ssh_address import SshAddress
from edgekit.devices.ssh_agent import NO_PYTHON, agent_command, is_orphan, no_python
from edgekit.devices.ssh_words import last_line, refusal
from edgekit.devices.transport import LocalProcess
from edgekit.errors import DeviceError
from edgekit.staging import Scratch

CONNECT_TIMEOUT_S = 60.0
"""Until the agent says its facts; ssh itself gives up on a silent host after 15 s."""
REQUEST_TIMEOUT_S = 60.0
_OPTIONS = (
    "BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=5", "ServerAliveCountMax=6", "ControlPersist=no",
    "ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "RemoteCommand=none", "PermitLocalCommand=no",
)  # fmt: skip
# where the master is gone, ssh would connect anew by itself: let that fail
_SHARING = ("-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ProxyCommand=exec false")
_UNPACK = (
    "import sys, tarfile\n"
    "with tarfile.open(fileobj=sys.stdin.buffer, mode='r|') as tar:\n"
    "    try:\n"
    "        for entry in tar:\n"
    "            tar.extract(entry, sys.argv[1], set_attrs=False)\n"
    "    except OSError as error:\n"
    "        sys.exit('edgekit-errno:%d:%s' % (error.errno or 0, error.strerror))\n"
)


class Connection:
    """Open from the start; ``close`` removes the work folder on the board. Every method raises DeviceError."""

    def __init__(
        self,
        board: SshAddress,
        *,
        name: str,
        client: Sequence[str] = (),
        timeout_s: float = CONNECT_TIMEOUT_S,
        told: Callable[[str], None] | None = None,
    ) -> None:
        """``client``: further arguments of ssh; ``told`` hears what was cleaned up, and the like."""
        if shutil.which("ssh") is None:
            raise DeviceError(f"{name}: no ssh client here; sudo apt-get install openssh-client")
        self.board, self.name, self._told = board, name, told or (lambda _: None)
        self._scratch = Scratch("ssh")
        self._ssh = ("ssh", "-T", "-S", str(self._scratch.path / "c"), *client)
        self._asking = threading.Lock()
        self._closed = False
        self.facts: dict[str, Any] = {}
        """What the agent says of the board; empty until it has."""
        self._master = self._start(["-M", *_settings(board)], agent_command(board))
        try:
            self.facts = self._agents_line(timeout_s)
            self._settle_leftovers()
        except BaseException:
            self.close()
            raise

    @property
    def root(self) -> str:
        """The folder on the board that outlives connections."""
        return str(self.facts["root"])

    @property
    def work(self) -> str:
        """The folder on the board that goes with this connection."""
        return str(self.facts["work"])

    @property
    def python(self) -> str:
        """The board's interpreter."""
        return str(self.facts["executable"])

    @property
    def alive(self) -> bool:
        """Whether the connection still stands."""
        return self._master.status() is None

    def start(self, command: str) -> LocalProcess:
        """Start a shell command on the board; its input and output are this process's pipes."""
        return self._start(_SHARING, command)

    def ask(self, op: str, **arguments: object) -> dict[str, Any]:
        """Let the agent do something."""
        with self._asking:
            try:
                self._master.write_line(json.dumps({"op": op, **arguments}))
            except BrokenPipeError:
                self.lost()
            return self._agents_line(REQUEST_TIMEOUT_S)

    def clear(self, path: str) -> None:
        """End what runs in a folder of the work folder and remove it; a board that is gone does so by itself."""
        if self.alive:
            with contextlib.suppress(DeviceError):
                self.ask("remove", path=path)

    def push(self, files: Mapping[str, Path], into: str) -> None:
        """Bring files and folders into a folder on the board, under the names given."""
        command = f"mkdir -p {shlex.quote(into)} && {self._python_command(_UNPACK, into)}"
        process = subprocess.Popen(
            self._command(_SHARING, command),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            # where it does not take everything, its last words say why
            with contextlib.suppress(BrokenPipeError), tarfile.open(fileobj=process.stdin, mode="w|") as tar:
                for name, path in files.items():
                    tar.add(path, arcname=name, filter=_plain)
            _, words = process.communicate()
        except BaseException:
            process.kill()
            process.communicate()
            raise
        if process.returncode:
            self.refuse(process.returncode, words.decode(errors="replace"), into)

    def pull(self, remote: str, into: Path) -> None:
        """Bring one file from the board."""
        with into.open("wb") as file:
            done = subprocess.run(
                self._command(_SHARING, f"cat {shlex.quote(remote)}"),
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, start_new_session=True, check=False,
            )  # fmt: skip
        if done.returncode:
            self.refuse(done.returncode, done.stderr.decode(errors="replace"), remote)

    def run(self, command: str, *, timeout_s: float | None = None) -> tuple[int, str]:
        """Run a shell command to its end; exit status and what it said."""
        done = subprocess.run(
            self._command(_SHARING, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, check=False, timeout=timeout_s,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(errors="replace")

    def lost(self) -> NoReturn:
        """Say that the connection broke."""
        words = last_line(self._master.last_words())
        raise DeviceError(
            f"{self.name}: the connection was lost{f' ({words})' if words else ''}; nothing was kept of this "
            f"measurement. What is left on the board in {self.root} is removed at the next connection"
        )

    def close(self) -> None:
        """Say goodbye, upon which the agent removes the work folder; may be called again."""
        if self._closed:
            return
        self._closed = True
        try:
            self._master.finish(timeout_s=10.0)
        finally:
            self._scratch.close()

    def _start(self, options: Sequence[str], command: str) -> LocalProcess:
        folder = self._scratch.path / f"channel-{os.urandom(4).hex()}"
        folder.mkdir()
        return LocalProcess(self._command(options, command), cwd=folder, env=os.environ)

    def _command(self, options: Sequence[str], command: str) -> list[str]:
        # the login shell may be any: it only has to find sh
        return [*self._ssh, *options, "--", self.board.destination, f"exec sh -c {shlex.quote(command)}"]

    def _python_command(self, code: str, *arguments: str) -> str:
        return " ".join(shlex.quote(word) for word in (self.python, "-c", code, *arguments))

    def _agents_line(self, timeout_s: float) -> dict[str, Any]:
        while True:
            try:
                line = self._master.read_line(timeout_s)
            except TimeoutError:
                raise DeviceError(f"{self.name}: no answer within {timeout_s:.0f} s") from None
            if line is None:
                self._gone()
            if line.startswith(NO_PYTHON):
                raise DeviceError(f"{self.name}: {no_python(line.removeprefix(NO_PYTHON), self.board)}")
            if line.startswith(board_agent.MARK):
                return self._checked(json.loads(line.removeprefix(board_agent.MARK)))

    def _gone(self) -> NoReturn:
        if self.facts:
            self.lost()
        self._master.finish(timeout_s=5.0)
        raise DeviceError(f"{self.name}: {refusal(self._master.last_words(), self.board)}")

    def _checked(self, line: dict[str, Any]) -> dict[str, Any]:
        if "error" in line:
            raise DeviceError(f"{self.name}: {self._disk(int(line['errno']), str(line['error']))}")
        return line

    def refuse(self, status: int, words: str, place: str) -> NoReturn:
        """Say why a command on the board failed that was to write or read ``place``."""
        if not self.alive:
            self.lost()
        said = next((line for line in words.splitlines() if line.startswith("edgekit-errno:")), None)
        if said:
            _, number, text = said.split(":", 2)
            raise DeviceError(f"{self.name}: {self._disk(int(number), f'{text}: {place}')}")
        if os.strerror(errno.ENOSPC) in words:
            raise DeviceError(
                f"{self.name}: {self._disk(errno.ENOSPC, f'{os.strerror(errno.ENOSPC)}: {place}')}"
            )
        raise DeviceError(f"{self.name}: {place}: {last_line(words) or f'failed with status {status}'}")

    def _disk(self, number: int, words: str) -> str:
        if number not in (errno.ENOSPC, errno.EDQUOT):
            return f"cannot write there: {words}"
        free = f": {self.ask('room')['free_bytes'] / 1e6:.0f} MB are free" if self.facts else ""
        cache = self.root if self.facts else "~/.cache/edgekit"
        return f"the board is out of disk{free} ({words}). Make room there, or remove {cache}"

    def _settle_leftovers(self) -> None:
        """End what an edgekit of this machine left there, where that one is no more."""
        left = self.facts["leftovers"]
        orphans = [name for name in left["held"] if is_orphan(name)]
        if orphans:
            self.ask("forget", names=orphans)
        removed = [*left["removed"], *orphans]
        if removed:
            self._told(
                f"{self.name}: removed what a lost connection had left in {self.root}: {', '.join(removed)}"
            )


def _settings(board: SshAddress) -> list[str]:
    options = [word for option in _OPTIONS for word in ("-o", option)]
    return [*options, *(["-p", str(board.port)] if board.port else [])]


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Contents only: users and groups here mean nothing there."""
    if "__pycache__" in Path(entry.name).parts:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
