"""The command that starts the agent on a board, and whom the folders there belong to."""

from __future__ import annotations

import hashlib
import os
import shlex
import socket
from pathlib import Path

from edgekit.devices import board_agent
from edgekit.devices.ssh_address import SshAddress

PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(14, 8, -1)))
LEAST_PYTHON = (3, 9)
NO_PYTHON = "edgekit-no-python:"


def agent_command(board: SshAddress) -> str:
    """A shell program that hands over to the first Python that is new enough."""
    source = Path(board_agent.__file__).read_text(encoding="utf-8")
    candidates = [board.python] if board.python else PYTHONS
    check = f"import sys; sys.exit(sys.version_info < {LEAST_PYTHON})"
    return (
        f"found=; for p in {' '.join(_quoted(name) for name in candidates)}; do "
        'command -v "$p" >/dev/null 2>&1 || continue; '
        f'if "$p" -c {shlex.quote(check)} 2>/dev/null; then '
        f'exec "$p" -u -c {shlex.quote(source)} {owner()}; fi; '
        'v=$("$p" -V 2>&1) && found="$found $v,"; done; '
        f'echo "{NO_PYTHON}$found"'
    )


def _quoted(path: str) -> str:
    """For the board's shell; a tilde is the board's home."""
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)


def no_python(found: str, board: SshAddress) -> str:
    """Why no interpreter would do; ``found`` are the versions there, with commas."""
    least = ".".join(map(str, LEAST_PYTHON))
    have = ", ".join(word.strip() for word in found.split(",") if word.strip())
    if have:
        return f"needs Python {least} or newer there, and found {have}; name one: ssh://…?python=/path/to/python3"
    if board.python:
        return f"no {board.python} there"
    return f"no python3 there; on Debian: {board.command} sudo apt-get install python3"


def owner() -> str:
    """Names this process in the work folder on the board: the machine's mark and the process id."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        machine = socket.gethostname()
    boot = Path("/proc/sys/kernel/random/boot_id")
    mark = f"{machine}{boot.read_text(encoding='ascii') if boot.is_file() else ''}{os.getuid()}"
    return f"{hashlib.sha256(mark.encode()).hexdigest()[:8]}-{os.getpid()}"


def is_orphan(name: str) -> bool:
    """Whether a work folder was made by a process of this machine that has ended."""
    mark, _, process = owner().partition("-")
    parts = name.removeprefix(board_agent.WORK).split("-")
    if len(parts) < 2 or parts[0] != mark or not parts[1].isdecimal() or parts[1] == process:
        return False
    try:
        os.kill(int(parts[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
