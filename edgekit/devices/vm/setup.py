"""Make the virtual board from Debian's and PyPI's packages, once, in the cache."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgekit.devices import debian
from edgekit.devices.ssh_packages import DEBIAN_ARM, RUNTIME_PACKAGES, download_wheels, pinned
from edgekit.devices.vm import image
from edgekit.devices.vm.initrd import DRIVERS, make_initrd
from edgekit.devices.vm.keys import dropbear_key, make_key
from edgekit.errors import DeviceError, EnvironmentSetupError
from edgekit.paths import cache_dir
from edgekit.progress import Advance
from edgekit.staging import make_once

KERNEL = "linux-image-cloud-arm64"
"""Names the newest kernel of the suite with the drivers that virtual machines need, and few others."""
QEMU = "qemu-system-aarch64"
HOST_NAME = "edgekit-vm"
_TOOLS = {
    QEMU: "qemu-system-arm",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
_STEPS = ("index of packages", "packages", "runtimes", "file system", "disk")


@dataclass(frozen=True, slots=True)
class Board:
    """A made one: kernel, initial memory disk, disk, and the keys to it."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"


def missing_tools() -> str | None:
    """What this machine lacks, with the command that mends it; None where it has all."""
    absent = {tool: package for tool, package in _TOOLS.items() if debian.find_tool(tool) is None}
    if absent:
        packages = " ".join(dict.fromkeys(absent.values()))
        return f"no {', '.join(absent)} here: sudo apt-get install --no-install-recommends {packages}"
    return debian.missing()


def find_board() -> Board:
    """The one that was set up; DeviceError says how to set it up."""
    if reason := missing_tools():
        raise DeviceError(f"the virtual board cannot run: {reason}")
    folder = _folder()
    if not folder.is_dir():
        what = "was made with other versions of the runtimes" if _boards(folder.parent) else "is not set up"
        raise DeviceError(f"the virtual board {what}: edgekit device setup vm")
    return Board(folder)


def set_up(*, force: bool = False, advance: Advance | None = None) -> Board:
    """Make the virtual board where it is not there; EnvironmentSetupError says what is missing or failed."""
    if reason := missing_tools():
        raise EnvironmentSetupError(f"the virtual board cannot be made: {reason}")
    final = _folder()

    def make(made: Path, work: Path) -> None:
        _make(made, work, advance)
        for older in _boards(final.parent):
            if older != final:
                shutil.rmtree(older, ignore_errors=True)

    make_once(final, make, anew=force)
    return Board(final)


def _boards(folder: Path) -> list[Path]:
    return [path for path in folder.glob("vm-*") if path.is_dir()]


def _make(folder: Path, work: Path, advance: Advance | None) -> None:
    """A board in the new ``folder``."""

    def step(number: int) -> None:
        if advance:
            advance(number, len(_STEPS), _STEPS[number])

    folder.mkdir()
    root = work / "root"
    step(0)
    archive = debian.Archive(work / "apt")
    step(1)
    packages = archive.fetch(image.PACKAGES)
    (kernel_name,) = archive.depends(KERNEL)
    kernel = archive.fetch_alone(kernel_name)
    step(2)
    wheels = work / "wheels"
    if refusal := download_wheels(_runtimes(), DEBIAN_ARM, wheels):
        raise EnvironmentSetupError(f"the runtimes for the virtual board cannot be fetched: {refusal}")
    step(3)
    busybox = image.make_root(root, packages, sorted(wheels.glob("*.whl")))
    image.authorize(root, make_key(folder / "key"), _host_key(folder, work))
    step(4)
    image.make_disk(root, folder / "disk")
    debian.unpack(kernel, work / "kernel")
    (folder / "initrd").write_bytes(make_initrd(work / "kernel", busybox))
    (vmlinuz,) = (work / "kernel/boot").glob("vmlinuz-*")
    shutil.copyfile(vmlinuz, folder / "kernel")


def _host_key(folder: Path, work: Path) -> bytes:
    """What the board proves itself with; only its public half stays here."""
    path = work / "host_key"
    (folder / "known_hosts").write_text(f"{HOST_NAME} {make_key(path)}\n")
    return dropbear_key(path)


def _runtimes() -> list[str]:
    """Those that edgekit verifies with, in the very versions."""
    names = sorted(
        {name for name in ("onnxruntime", "openvino", "litert") for name in RUNTIME_PACKAGES[name][0]}
    )
    return pinned(names)


def _folder() -> Path:
    """Another one where anything that goes into it is another."""
    scripts = [Path(__file__).with_name(name).read_text() for name in ("init.sh", "first_init.sh")]
    parts = (debian.SUITE, KERNEL, image.PACKAGES, DRIVERS, _runtimes(), scripts)
    return cache_dir() / "devices" / f"vm-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"
