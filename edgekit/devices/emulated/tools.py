"""The programs that emulation takes, what is missing of them, and the line that installs it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgekit.errors import EnvironmentSetupError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's keys, on Debian and, as a package of the same name, on Ubuntu."""
_PACKAGES = {
    "qemu-aarch64": "qemu-user",
    "qemu-x86_64": "qemu-user",
    "dpkg": "dpkg",
    "gcc": "gcc libc6-dev",
    str(KEYRING): "debian-archive-keyring",
}
_LAST_LINES = 3


def missing(*needed: str) -> list[str]:
    """Those of the programs (or files, by their path) that are not here."""
    return [name for name in needed if not (Path(name).is_file() if "/" in name else shutil.which(name))]


def install_line(lacking: Iterable[str]) -> str:
    """The command that brings them."""
    packages = dict.fromkeys(_PACKAGES[name] for name in lacking)
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"


def check_setup() -> None:
    """EnvironmentSetupError, one line, where something is missing without which nothing can be emulated."""
    if missing("apt-get"):
        raise EnvironmentSetupError(
            "emulated devices are set up with apt-get, which Debian and Ubuntu have: Debian's arm64 packages are fetched "
            "with it. On another system, run edgekit in a container of Debian"
        )
    if lacking := missing("qemu-aarch64", "dpkg", str(KEYRING)):
        raise EnvironmentSetupError(
            f"emulated devices need {', '.join(lacking)}, and it is not here. Try: {install_line(lacking)}"
        )


def run(command: Sequence[str], what: str, *, timeout_s: float = 900) -> str:
    """Run a step of the set-up, its stdout. EnvironmentSetupError with the end of its stderr where it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise EnvironmentSetupError(f"{what}: {command[0]} took more than {timeout_s:.0f} s") from None
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise EnvironmentSetupError(f"{what}: {command[0]} failed: {' '.join(lines[-_LAST_LINES:])[-500:]}")
    return done.stdout
