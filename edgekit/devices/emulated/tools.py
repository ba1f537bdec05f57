"""The programs that emulation takes, what is missing of them, and the line that installs it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from edgekit.devices import debian
from edgekit.errors import EnvironmentSetupError

QEMU_ARM, QEMU_X86 = "qemu-aarch64", "qemu-x86_64"
_PACKAGES = {QEMU_ARM: "qemu-user", QEMU_X86: "qemu-user", "gcc": "gcc libc6-dev"}


def missing(*programs: str) -> list[str]:
    """Those that are not here."""
    return [name for name in programs if not shutil.which(name)]


def path_of(program: str) -> str:
    """Its path: runners get a PATH of their own."""
    return shutil.which(program) or program


def install_line(lacking: Iterable[str]) -> str:
    """The command that brings them."""
    packages = dict.fromkeys(_PACKAGES[name] for name in lacking)
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"


def check_setup() -> None:
    """EnvironmentSetupError, one line, where something is missing without which nothing can be emulated."""
    if reason := debian.missing():
        raise EnvironmentSetupError(f"emulated devices cannot be set up: {reason}")
    if lacking := missing(QEMU_ARM):
        raise EnvironmentSetupError(
            f"emulated devices cannot be set up: no {lacking[0]} here: {install_line(lacking)}"
        )
