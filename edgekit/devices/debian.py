"""Packages of Debian for another architecture, fetched and unpacked without touching this system; needs no root.

apt gets a configuration, a state and a cache of its own, and checks every index and package against the keys of the
distribution; proxies and the like are still taken from the system's configuration.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import EnvironmentSetupError

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PYTHON = "3.11"
"""Of that suite."""
GLIBC_MINOR = 36
_PROGRAMS = ("apt-get", "apt-cache", "dpkg")


def missing() -> str | None:
    """What this machine lacks to fetch packages, with what mends it; None where it has all."""
    absent = [program for program in _PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no {', '.join(absent)} to fetch Debian's packages with: use Debian or Ubuntu for this"
    if not KEYRING.is_file():
        return f"no {KEYRING} to check packages with: sudo apt-get install debian-archive-keyring"
    return None


class Archive:
    """The packages of one architecture; ``folder`` holds the state and may be removed afterwards."""

    def __init__(self, folder: Path, arch: str = "arm64") -> None:
        """Fetch the index. EnvironmentSetupError says what failed."""
        self._folder = folder
        for place in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d"):
            (folder / place).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(f"deb [arch={arch} signed-by={KEYRING}] {MIRROR} {SUITE} main\n")
        self._config = folder / "apt.conf"
        self._config.write_text(_config(folder, arch))
        self._apt("apt-get", "update", "-q")

    def fetch(self, names: Sequence[str]) -> list[Path]:
        """The packages and all that they depend on."""
        self._apt("apt-get", "install", "-q", "-y", "--download-only", *names)
        return sorted((self._folder / "cache/archives").glob("*.deb"))

    def fetch_alone(self, name: str) -> Path:
        """One package without what it depends on."""
        alone = self._folder / f"alone-{name}"
        alone.mkdir()
        self._apt("apt-get", "download", "-q", name, cwd=alone)
        (package,) = alone.glob("*.deb")
        return package

    def depends(self, name: str) -> list[str]:
        """What a package depends on directly: how one of no contents names the real one."""
        words = self._apt("apt-cache", "depends", name)
        return [line.partition(":")[2].strip() for line in words.splitlines() if "Depends:" in line]

    def _apt(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        return run(
            [program, "-c", str(self._config), *arguments], "Debian's packages cannot be fetched", cwd=cwd
        )


def find_tool(name: str) -> str | None:
    """Its path, also where it is meant for root's PATH alone: making a file with mke2fs needs no root."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def unpack(package: Path, root: Path) -> None:
    """Unpack a package's files into ``root``."""
    run(["dpkg", "-x", str(package), str(root)], f"{package.name} cannot be unpacked")


def run(command: Sequence[str], what: str, *, cwd: Path | None = None) -> str:
    """Run a tool; its output. EnvironmentSetupError: ``what``, and the tool's last word."""
    program, *arguments = command
    done = subprocess.run(
        [find_tool(program) or program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        start_new_session=True,
    )
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("E:")] or lines
        said = errors[-1].removeprefix("E: ") if errors else f"exit {done.returncode}"
        raise EnvironmentSetupError(f"{what}: {program}: {said}")
    return done.stdout


def _config(folder: Path, arch: str) -> str:
    return "\n".join(
        (
            f'APT::Architecture "{arch}";',
            f'APT::Architectures {{ "{arch}"; }};',
            'APT::Install-Recommends "false";',
            f'Dir::State "{folder}/state";',
            f'Dir::State::status "{folder}/status";',
            f'Dir::Cache "{folder}/cache";',
            f'Dir::Etc "{folder}/etc";',
            f'Dir::Etc::SourceList "{folder}/sources.list";',
            # as root apt hands downloads to the user _apt, who may not enter our folder
            'APT::Sandbox::User "root";',
            'Acquire::Languages "none";',
            # the host's configuration may empty the cache after each download
            'DPkg::Post-Invoke { "true"; };',
            'APT::Keep-Downloaded-Packages "true";',
            "",
        )
    )
