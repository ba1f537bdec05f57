"""What an emulated Arm board runs: a Debian root with a Python, and the true Arm wheels of the runtimes.

The release is always the same one, whatever runs here, and the wheels have the versions that are installed here: the
same numbers as on the build host are only to be expected of the same versions.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from edgekit.devices import debian
from edgekit.devices.ssh_packages import DEBIAN_ARM, download_wheels, pinned
from edgekit.errors import EnvironmentSetupError

PACKAGES = (
    f"python{debian.PYTHON}-minimal",
    f"libpython{debian.PYTHON}-stdlib",
    "libstdc++6",
    "zlib1g",
)
WHEELS = ("numpy", "onnxruntime", "ai-edge-litert", "openvino")


def pins() -> list[str]:
    """``name==version`` of each wheel."""
    return pinned(WHEELS)


def make_sysroot(root: Path, work: Path) -> None:
    """Fetch the packages and what they depend on, and unpack them into ``root``: no root user, nothing installed.

    ``work``: a folder for apt. EnvironmentSetupError with apt's word where it fails.
    """
    for package in debian.Archive(work / "apt").fetch(PACKAGES):
        debian.unpack(package, root)
    # base-files, which brings it, is not among the packages: without it the guest reads this machine's
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/os-release").write_text(f'PRETTY_NAME="Debian {debian.SUITE}, in part"\nID=debian\n')


def unpack_wheels(site: Path, work: Path) -> None:
    """Fetch the wheels, which pip checks by the index's hashes, and unpack them into ``site``.

    EnvironmentSetupError with pip's word where it fails.
    """
    if refusal := download_wheels(pins(), DEBIAN_ARM, work):
        raise EnvironmentSetupError(f"the runtimes' wheels for aarch64 cannot be fetched: {refusal}")
    for wheel in sorted(work.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
