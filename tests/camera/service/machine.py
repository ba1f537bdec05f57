"""A machine with this one's files, Debian's kernel, systemd and a camera of Video4Linux, under full-system QEMU."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from edgekit.devices import debian
from edgekit.devices.vm.initrd import make_initrd
from edgekit.staging import Scratch

HERE = Path(__file__).parent
QEMU = "qemu-system-x86_64"
_KERNEL = "linux-image-amd64"
"""Names the newest kernel of the suite, with the driver vivid: a camera that draws its own picture."""
_DRIVERS = ("virtio_pci", "virtio_rng", "9pnet_virtio", "9p", "overlay")
_TRIAL = ("trial.target", "trial.service", "trial.sh")
_SYSTEMD = Path("/lib/systemd/systemd")
_PYTHON = Path(f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}")
"""The system's own, which every user may read; the packages here are for its version."""
_TIMEOUT_S = 1500


def missing() -> str | None:
    """Why it cannot run here, with what mends it."""
    tools = {QEMU: "qemu-system-x86", "depmod": "kmod", "udevadm": "udev"}
    absent = [package for tool, package in tools.items() if debian.find_tool(tool) is None]
    absent += [] if _SYSTEMD.exists() else ["systemd"]
    absent += [] if _PYTHON.exists() else [_PYTHON.name]
    if absent:
        return f"apt-get install --no-install-recommends {' '.join(absent)}"
    return debian.missing()


def try_on_it(bundle: Path, folder: Path) -> Path:
    """Start the machine, do there what trial.sh says, switch it off; the folder of what was seen."""
    with Scratch("machine") as work:
        kernel, initrd, modules = _system(work)
        shared = _shared(bundle, folder)
        command = [
            QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3072", "-nic", "none",
            "-nographic", "-no-reboot", "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", "console=ttyS0 quiet panic=1",
            *_share(Path("/"), "machine", "readonly=on,multidevs=remap"),
            *_share(modules, "modules", "readonly=on"),
            *_share(shared, "shared", "readonly=off"),
        ]  # fmt: skip
        with (folder / "console").open("wb") as console:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                check=False,
                timeout=_TIMEOUT_S,
            )
    return shared / "seen"


def _share(path: Path, tag: str, how: str) -> list[str]:
    return ["-virtfs", f"local,path={path},mount_tag={tag},security_model=none,{how}"]


def _system(work: Path) -> tuple[Path, Path, Path]:
    """Kernel, initial memory disk, and the folder of its modules."""
    archive = debian.Archive(work / "apt", "amd64")
    (name,) = archive.depends(_KERNEL)
    root = work / "root"
    for package in (name, "busybox-static"):
        debian.unpack(archive.fetch_alone(package), root)
    version = name.removeprefix("linux-image-")
    debian.run(["depmod", "-b", str(root), version], "the kernel's modules cannot be listed")
    initrd = work / "initrd"
    busybox = root / "bin/busybox"
    initrd.write_bytes(make_initrd(root, busybox, drivers=_DRIVERS, init=HERE / "first_init.sh"))
    return root / f"boot/vmlinuz-{version}", initrd, root / "lib/modules"


def _shared(bundle: Path, folder: Path) -> Path:
    """What the machine is given: the bundle, what to do, and an environment as a user has it under /opt."""
    shared = folder / "shared"
    (shared / "seen").mkdir(parents=True)
    for name in _TRIAL:
        shutil.copyfile(HERE / name, shared / name)
    shutil.copytree(bundle, shared / "net.edgekit")
    places = {"packages": sysconfig.get_path("purelib"), "project": str(HERE.parents[2])}
    for name, place in places.items():
        (shared / name).write_text(place)
    programs = shared / "venv/bin"
    programs.mkdir(parents=True)
    for name in ("python", "python3"):
        (programs / name).symlink_to(_PYTHON)
    command = programs / "edgekit"
    command.write_text("#!/opt/edgekit/venv/bin/python\nfrom edgekit.cli.main import main\nmain()\n")
    command.chmod(0o755)
    (shared / "venv/pyvenv.cfg").write_text(
        f"home = {_PYTHON.parent}\ninclude-system-site-packages = false\n"
    )
    packages = shared / f"venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    packages.mkdir(parents=True)
    (packages / "edgekit.pth").write_text("/opt/packages\n/opt/project\n")
    return shared
