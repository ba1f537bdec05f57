"""The virtual board's disk: Debian's Python, an ssh server and the runtimes' own wheels, as an ext4 file system."""

from __future__ import annotations

import compileall
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from edgekit.devices.debian import PYTHON, run, unpack

PACKAGES = (
    "python3.11-minimal",
    "libpython3.11-stdlib",
    "libstdc++6",
    "zlib1g",
    "dropbear-bin",
    "busybox-static",
)
SITE = f"usr/local/lib/python{PYTHON}/dist-packages"
_INIT = Path(__file__).with_name("init.sh")
_SPARE_BYTES = 768 * 2**20
"""For bundles and their answers; a hole in the file until it is used."""


def make_root(root: Path, packages: Sequence[Path], wheels: Sequence[Path]) -> Path:
    """The unpacked system in ``root``; where its busybox lies."""
    for package in packages:
        unpack(package, root)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root / SITE)
    if sys.version_info[:2] == tuple(map(int, PYTHON.split("."))):
        # else the board compiles at each start, since what is written there is forgotten
        for place in (SITE, f"usr/lib/python{PYTHON}"):
            compileall.compile_dir(root / place, stripdir=str(root), quiet=2, workers=1)
    for folder in ("dev", "proc", "sys", "tmp", "run", "root", "sbin", "etc/dropbear"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    _link(root / "usr/bin/python3", f"python{PYTHON}")
    _link(root / "bin/sh", "busybox")
    shutil.copyfile(_INIT, root / "sbin/init")
    (root / "sbin/init").chmod(0o755)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/hostname").write_text("edgekit-vm\n")
    return root / "bin/busybox"


def authorize(root: Path, public_key: str, host_key: bytes) -> None:
    """Who may come in, and how the board proves to be itself."""
    ssh = root / "root/.ssh"
    ssh.mkdir(mode=0o700, parents=True)
    (ssh / "authorized_keys").write_text(f"{public_key}\n")
    (root / "etc/dropbear/host_key").write_bytes(host_key)
    for path in (ssh / "authorized_keys", root / "etc/dropbear/host_key"):
        path.chmod(0o600)
    (root / "root").chmod(0o700)


def make_disk(root: Path, disk: Path) -> None:
    """``root`` as an ext4 file system in a sparse file."""
    used = sum(path.lstat().st_size + 4096 for path in root.rglob("*"))
    with disk.open("wb") as file:
        file.truncate(used + used // 8 + _SPARE_BYTES)
    run(
        [
            "mke2fs",
            "-q",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            "-m",
            "0",
            "-E",
            "root_owner=0:0",
            "-d",
            str(root),
            str(disk),
        ],
        "the virtual board's disk cannot be made",
    )


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
