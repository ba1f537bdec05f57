"""The runtime on a board: the board's own, else the wheels for its Python, fetched here and sent, or got by its pip."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.devices import debian
from edgekit.devices.ssh_connection import Connection
from edgekit.errors import DeviceError

RUNTIME_PACKAGES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "onnxruntime": (("onnxruntime", "numpy"),),
    "openvino": (("openvino", "numpy"),),
    "litert": (("ai-edge-litert", "numpy"), ("tflite-runtime", "numpy")),
    "tflite-runtime": (("tflite-runtime", "numpy"), ("ai-edge-litert", "numpy")),
}
"""What the runner imports for a runtime, the preferred set first; nothing else of what the packages name is loaded."""
_OLDEST_GLIBC = 17
_FINISHED = "edgekit-finished"
_UNZIP = (
    "import compileall, glob, os, sys, zipfile\n"
    "for wheel in glob.glob(os.path.join(sys.argv[1], '*.whl')):\n"
    "    zipfile.ZipFile(wheel).extractall(sys.argv[2])\n"
    "    os.remove(wheel)\n"
    # as an installer does: the runner writes none, and a cold start would compile numpy each time
    "compileall.compile_dir(sys.argv[2], quiet=2)\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The board's Python, as wheels are named for it."""

    version: str
    """Such as ``3.11``."""
    arch: str
    """As the wheels' tags say it: aarch64, armv7l, x86_64."""
    glibc_minor: int

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Interpreter | None:
        """From the agent's facts; None where the C library is not glibc, for which there are hardly any wheels."""
        glibc = re.fullmatch(r"glibc 2\.(\d+).*", facts["libc"])
        if not glibc:
            return None
        arch = "armv7l" if facts["arch"] in ("aarch64", "armv8l") and facts["bits"] == 32 else facts["arch"]
        return cls(version=".".join(facts["python"].split(".")[:2]), arch=arch, glibc_minor=int(glibc[1]))

    @property
    def platforms(self) -> list[str]:
        """Every tag that runs there: pip does not derive the older ones from the newest."""
        newest_first = range(self.glibc_minor, _OLDEST_GLIBC - 1, -1)
        return [f"manylinux_2_{minor}_{self.arch}" for minor in newest_first] + [f"linux_{self.arch}"]


DEBIAN_ARM = Interpreter(version=debian.PYTHON, arch="aarch64", glibc_minor=debian.GLIBC_MINOR)
"""Of the boards that are made here, of Debian's packages."""


def pinned(names: Iterable[str]) -> list[str]:
    """``name==version`` of each, as installed here: answers are compared between the same versions."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in names]


def python_path(connection: Connection, runtime: str, told: Callable[[str], None]) -> list[str]:
    """The folders to put on the board's PYTHONPATH for ``runtime``: none where it has the runtime itself.

    ``told`` hears where the packages come from. DeviceError where there is no way to have them.
    """
    sets = RUNTIME_PACKAGES.get(runtime)
    if sets is None:
        return []  # the runner says that it knows no such runtime
    installed = connection.facts["packages"]
    if any(all(name in installed for name in packages) for packages in sets):
        return []
    interpreter = Interpreter.of(connection.facts)
    if interpreter is None:
        raise DeviceError(
            f"{connection.name}: its Python has no {sets[0][0]}, and there are no wheels for its C library "
            f"({connection.facts['libc'] or 'not glibc'}); install {sets[0][0]} there by hand"
        )
    return [_provide(connection, sets[0], interpreter, told)]


def _provide(
    connection: Connection, packages: Sequence[str], interpreter: Interpreter, told: Callable[[str], None]
) -> str:
    pins = pinned(packages)
    site = f"{connection.root}/site-{_key(pins, interpreter)}"
    if connection.run(f"test -e {shlex.quote(f'{site}/{_FINISHED}')}")[0] == 0:
        return site
    with tempfile.TemporaryDirectory(prefix="edgekit-wheels-") as folder:
        refusal = download_wheels(pins, interpreter, Path(folder))
        if refusal is None:
            told(_fetched_here(connection, Path(folder), interpreter))
            _unpack(connection, Path(folder), site)
            return site
    if connection.facts["pip"]:
        told(f"{connection.name}: {' '.join(pins)} could not be fetched here; asking the board's own pip")
        if _install_there(connection, pins, site):
            return site
    raise DeviceError(
        f"{connection.name}: no {packages[0]} for Python {interpreter.version} on {interpreter.arch} with glibc "
        f"2.{interpreter.glibc_minor}: {refusal}. Install it there by hand, or name another Python: "
        "ssh://…?python=/path/to/python3"
    )


def _key(pinned: Sequence[str], interpreter: Interpreter) -> str:
    text = f"{sorted(pinned)} {interpreter}"
    return f"{pinned[0].replace('==', '-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def download_wheels(pinned: Sequence[str], interpreter: Interpreter, folder: Path) -> str | None:
    """Fetch the wheels with this environment's pip; why that did not work, None where it did."""
    platforms = [word for tag in interpreter.platforms for word in ("--platform", tag)]
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", "--python-version", interpreter.version, *platforms, "--dest", str(folder), *pinned,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    return (errors[-1] if errors else done.stderr.strip().rpartition("\n")[2]).removeprefix("ERROR: ")


def _fetched_here(connection: Connection, folder: Path, interpreter: Interpreter) -> str:
    wheels = sorted(folder.glob("*.whl"))
    names = ", ".join("-".join(wheel.name.split("-")[:2]) for wheel in wheels)
    size = sum(wheel.stat().st_size for wheel in wheels)
    return (
        f"{connection.name}: its Python {interpreter.version} has no {names.partition('-')[0]}; sending {names} "
        f"({size / 1e6:.0f} MB, fetched here), kept there in {connection.root}"
    )


def _unpack(connection: Connection, wheels: Path, site: str) -> None:
    """Bring the wheels over and unpack them aside: an interrupted one is removed with the work folder."""
    staging = f"{connection.work}/wheels"
    connection.push({wheel.name: wheel for wheel in sorted(wheels.glob("*.whl"))}, staging)
    _finish(
        connection, [connection.python, "-c", _UNZIP, staging, f"{staging}/site"], f"{staging}/site", site
    )


def _install_there(connection: Connection, pinned: Sequence[str], site: str) -> bool:
    staging = f"{connection.work}/pip"
    command = [
        connection.python, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:",
        "--target", staging, *pinned,
    ]  # fmt: skip
    try:
        _finish(connection, command, staging, site)
    except DeviceError:
        return False
    return True


def _finish(connection: Connection, command: Sequence[str], staging: str, site: str) -> None:
    quoted = " ".join(shlex.quote(word) for word in command)
    there, final = shlex.quote(staging), shlex.quote(site)
    status, words = connection.run(
        f"{quoted} && touch {there}/{_FINISHED} && {{ test -e {final} || mv {there} {final}; }}"
    )
    if status:
        connection.refuse(status, words, site)
