"""The true Arm wheels of the runtimes, in the versions that are installed here."""

from __future__ import annotations

import importlib.metadata
import sys
import zipfile
from pathlib import Path

from edgekit.devices.emulated.sysroot import PYTHON
from edgekit.devices.emulated.tools import run

WHEELS = ("numpy", "onnxruntime", "ai-edge-litert", "openvino")
# pip does not expand tags: a wheel for glibc 2.27 is not found under 2.28; Debian 12 has 2.36
_GLIBC = ("2_17", "2_26", "2_27", "2_28", "2_31", "2_34", "2_35")


def pins() -> list[str]:
    """``name==version`` of each: the same numbers as here are only to be expected of the same versions."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in WHEELS]


def unpack_wheels(site: Path, work: Path) -> None:
    """Fetch the wheels for aarch64, which pip checks by the index's hashes, and unpack them into ``site``.

    EnvironmentSetupError with pip's words where it fails.
    """
    platforms = [argument for glibc in _GLIBC for argument in ("--platform", f"manylinux_{glibc}_aarch64")]
    run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--only-binary=:all:", "--python-version", PYTHON, *platforms, "--dest", str(work), *pins()],
        "wheels for aarch64",
    )  # fmt: skip
    for wheel in sorted(work.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
