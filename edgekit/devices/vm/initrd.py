"""The initial memory disk: busybox, and the kernel modules without which it finds neither disk nor network."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import EnvironmentSetupError

DRIVERS = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_rng")
_INIT = Path(__file__).with_name("first_init.sh")
_FILE, _PROGRAM, _FOLDER, _DEVICE = 0o100644, 0o100755, 0o040755, 0o020600


def make_initrd(
    kernel_root: Path, busybox: Path, *, drivers: Sequence[str] = DRIVERS, init: Path = _INIT
) -> bytes:
    """A gzipped cpio archive, from the unpacked kernel package and a static busybox, that runs ``init``."""
    modules = _in_order({_name(path): path for path in kernel_root.glob("lib/modules/**/*.ko")}, drivers)
    files = {f"modules/{path.name}": path.read_bytes() for path in modules}
    order = "".join(f"{path.name}\n" for path in modules).encode()
    entries = [(name, _FOLDER, b"") for name in ("bin", "dev", "proc", "root", "modules")]
    # the kernel opens it for its first process before there is anything else
    entries += [("dev/console", _DEVICE, b"")]
    entries += [("bin/busybox", _PROGRAM, busybox.read_bytes()), ("init", _PROGRAM, init.read_bytes())]
    entries += [(name, _FILE, content) for name, content in {**files, "modules/order": order}.items()]
    archive = b"".join(_entry(number, *entry) for number, entry in enumerate([*entries, _END], start=1))
    return gzip.compress(archive, mtime=0)


_END = ("TRAILER!!!", 0, b"")


def _in_order(modules: Mapping[str, Path], drivers: Sequence[str]) -> list[Path]:
    """The drivers and what they need, each after what it needs."""
    found: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in found:
            return
        if name not in modules:
            raise EnvironmentSetupError(f"Debian's kernel has no module {name}; it was expected there")
        for needed in _needs(modules[name]):
            add(needed)
        found[name] = modules[name]

    for driver in drivers:
        add(driver)
    return list(found.values())


def _needs(module: Path) -> list[str]:
    """What the module itself says, in its section .modinfo."""
    said = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    return [_underscored(name) for name in said[1].decode().split(",") if name] if said else []


def _name(module: Path) -> str:
    return _underscored(module.stem)


def _underscored(name: str) -> str:
    """Modules are named with either sign, and mean the same."""
    return name.replace("-", "_")


def _entry(inode: int, name: str, mode: int, content: bytes) -> bytes:
    """One file in the format "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst)."""
    major, minor = (5, 1) if mode == _DEVICE else (0, 0)
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name) + 1, 0)
    header = b"070701" + "".join(f"{field:08X}" for field in fields).encode()
    return _padded(header + name.encode() + b"\0") + _padded(content)


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 4)
