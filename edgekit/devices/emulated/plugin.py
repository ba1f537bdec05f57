"""The plugin that counts: compiled here, for there is no package of it, and tried before it is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from edgekit.devices.debian import run
from edgekit.devices.emulated.tools import install_line, missing, path_of
from edgekit.errors import EnvironmentSetupError

SOURCE = Path(__file__).with_name("counting.c")
CLEAN = ("env", "-i")
"""Before a command of the guest: the user's PYTHONPATH and library paths are those of this machine."""
_PROBE = """
import os
for step in 1, 2:
    try:
        os.getpriority(0x45444745, step)
    except OSError:
        pass
"""


def plugin_key(qemu: str) -> str:
    """Changes with the plugin's source, and with the emulator that it was tried with."""
    program = Path(path_of(qemu))
    seen = f"{program.stat().st_size} {program.stat().st_mtime_ns}" if program.is_file() else ""
    return hashlib.sha256(SOURCE.read_bytes() + seen.encode()).hexdigest()[:12]


def plugin_option(plugin: Path, counts: Path, caches: Sequence[tuple[int, int]] = ()) -> tuple[str, ...]:
    """qemu's options: regions go to ``counts`` as lines of JSON; ``caches``: bytes and ways, the nearest first."""
    levels = [f"l{level}={size}:{ways}" for level, (size, ways) in enumerate(caches, 1)]
    # a comma ends an argument; twice, it stands for itself
    paths = [str(path).replace(",", ",,") for path in (plugin, counts)]
    # -B 0: the guest's addresses are the process's own, so that the plugin can set the guest's clock
    return "-B", "0", "-plugin", ",".join((paths[0], f"out={paths[1]}", *levels))


def make_plugin(plugin: Path, python: Sequence[str], work: Path) -> None:
    """Compile it and count one region of ``python`` (qemu and an interpreter) with it.

    EnvironmentSetupError where there is no compiler, or this qemu takes no plugins.
    """
    if lacking := missing("gcc"):
        raise EnvironmentSetupError(f"no gcc to compile the plugin with. Try: {install_line(lacking)}")
    run(
        ["gcc", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", str(plugin), str(SOURCE)],
        "the plugin cannot be compiled",
    )
    counts = work / "probe"
    qemu, *rest = python
    try:
        run([*CLEAN, qemu, *plugin_option(plugin, counts), *rest, "-c", _PROBE], "counting")
        counted = json.loads(counts.read_text())["total"]
    except (EnvironmentSetupError, OSError, ValueError, KeyError) as error:
        raise EnvironmentSetupError(
            f"this qemu does not count: it must be dynamically linked and take plugins of API version 1, as "
            f"Debian 12's does ({error})"
        ) from None
    if not counted:
        raise EnvironmentSetupError("this qemu does not count: a region came out empty")
