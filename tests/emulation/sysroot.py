"""An aarch64 Debian root and the true Arm wheels, put together from ordinary packages; needs no root user.

Debian packages are fetched with an apt configuration of its own and unpacked with ``dpkg -x``: nothing on this
machine's system is touched. Wheels are those of this environment's versions, for aarch64.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

SUITE, PYTHON = "bookworm", "3.11"
PACKAGES = ("python3.11-minimal", "libpython3.11-stdlib", "libstdc++6", "zlib1g")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
WHEELS = ("numpy", "onnxruntime", "ai-edge-litert")
# pip does not expand tags: a wheel for glibc 2.27 is not found under 2.28
_GLIBC = ("2_17", "2_26", "2_27", "2_28", "2_31", "2_35")
_NEEDED = ("apt-get", "dpkg")


def missing() -> str | None:
    """What this machine lacks to make the root; None where it has all."""
    programs = [program for program in _NEEDED if shutil.which(program) is None]
    if programs:
        return f"no {', '.join(programs)} to fetch Debian's arm64 packages with"
    return None if KEYRING.is_file() else f"no {KEYRING} to check Debian's arm64 packages with"


def make_sysroot(folder: Path) -> Path:
    """Fetch and unpack the Debian packages and what they depend on; the root, with ``usr/bin/python3.11``."""
    apt, root = folder / "apt", folder / "root"
    for place in ("state/lists/partial", "cache/archives/partial", "etc"):
        (apt / place).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(
        f"deb [arch=arm64 signed-by={KEYRING}] http://deb.debian.org/debian {SUITE} main\n"
    )
    config = apt / "apt.conf"
    config.write_text(_apt_config(apt))
    _run(["apt-get", "-c", str(config), "update", "-q"])
    _run(["apt-get", "-c", str(config), "install", "-q", "-y", "--download-only", *PACKAGES])
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(root)])
    shutil.rmtree(apt)
    return root


def unpack_wheels(folder: Path, names: Sequence[str] = WHEELS) -> Path:
    """Fetch the aarch64 wheels of the versions installed here; the folder to put on PYTHONPATH."""
    downloads, site = folder / "wheels", folder / "site"
    platforms = [argument for glibc in _GLIBC for argument in ("--platform", f"manylinux_{glibc}_aarch64")]
    pinned = [f"{name}=={importlib.metadata.version(name)}" for name in names]
    _run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--only-binary=:all:", "--python-version", PYTHON, *platforms, "--dest", str(downloads), *pinned]
    )  # fmt: skip
    for wheel in sorted(downloads.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    shutil.rmtree(downloads)
    return site


def _apt_config(apt: Path) -> str:
    return "\n".join(
        (
            'APT::Architecture "arm64";',
            'APT::Architectures { "arm64"; };',
            'APT::Install-Recommends "false";',
            f'Dir::State "{apt}/state";',
            f'Dir::State::status "{apt}/status";',
            f'Dir::Cache "{apt}/cache";',
            f'Dir::Etc "{apt}/etc";',
            f'Dir::Etc::SourceList "{apt}/sources.list";',
            # as root apt hands downloads to the user _apt, who may not enter our folder
            'APT::Sandbox::User "root";',
            'Acquire::Languages "none";',
            # the host's configuration may empty the cache after each download
            'DPkg::Post-Invoke { "true"; };',
            'APT::Keep-Downloaded-Packages "true";',
            "",
        )
    )


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
