"""A virtual board under way: QEMU with the core and memory of a target, until it is stopped."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgekit.devices.transport import LocalProcess
from edgekit.devices.vm.setup import HOST_NAME, QEMU, Board
from edgekit.errors import DeviceError
from edgekit.staging import Scratch

BOOT_TIMEOUT_S = 240.0
"""A quiet machine needs 5 s, one whose cores are busy several times as long."""
_LEAST_RAM_BYTES = 64 * 2**20
_ATTEMPTS = 3
_PORT_TAKEN = "Could not set up host forwarding rule"
_CONFIG = """\
Host {host}
  HostName 127.0.0.1
  HostKeyAlias {host}
  Port {port}
  User root
  IdentityFile "{key}"
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile "{known_hosts}"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What is emulated."""

    core: str
    """As QEMU names it, e.g. ``cortex-a72``."""
    ram_bytes: int


class Machine:
    """Boots on creation; ``client`` are the arguments with which ssh gets there, as ``edgekit-vm``."""

    def __init__(self, board: Board, hardware: Hardware, *, name: str) -> None:
        """DeviceError where it does not boot."""
        if hardware.core not in cores():
            raise DeviceError(f"{name}: {QEMU} here knows no {hardware.core}; a newer QEMU may")
        if hardware.ram_bytes < _LEAST_RAM_BYTES:
            raise DeviceError(f"{name}: the kernel alone needs {_LEAST_RAM_BYTES >> 20} MB; give it more ram")
        self._name = name
        self._scratch = Scratch("vm")
        try:
            self._process, port = self._boot(board, hardware)
            config = self._scratch.path / "ssh_config"
            config.write_text(
                _CONFIG.format(host=HOST_NAME, port=port, key=board.key, known_hosts=board.known_hosts)
            )
            # an emulated board may take its time to answer; one that is gone has closed the connection
            self.client = ("-F", str(config), "-o", "ServerAliveInterval=0")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Switch it off; what was written on its disk is forgotten. May be called again."""
        if hasattr(self, "_process"):
            self._process.stop()
        self._scratch.close()

    @property
    def console(self) -> str:
        """What the kernel has said on the serial line."""
        path = self._scratch.path / "console"
        return path.read_text(errors="replace") if path.is_file() else ""

    def _boot(self, board: Board, hardware: Hardware) -> tuple[LocalProcess, int]:
        for _ in range(_ATTEMPTS):
            port = _free_port()
            command = _command(board, hardware, port, self._scratch.path / "console")
            process = self._process = LocalProcess(command, cwd=self._scratch.path, env=os.environ)
            if self._wait(process, port):
                return process, port
        raise DeviceError(f"{self._name}: found no free port for the virtual board's ssh server; try again")

    def _wait(self, process: LocalProcess, port: int) -> bool:
        """Wait for the greeting of the ssh server; False where somebody else took the port meanwhile."""
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.status() is not None:
                words = process.last_words()
                if _PORT_TAKEN in words:
                    return False
                raise DeviceError(
                    f"{self._name}: {QEMU} ended: {words.rpartition(chr(10))[2] or self._last_line()}"
                )
            if "Kernel panic" in self.console:
                raise DeviceError(f"{self._name}: its kernel does not come up: {_panic(self.console)}")
            if _greets(port):
                return True
            time.sleep(0.2)
        raise DeviceError(
            f"{self._name}: no ssh server within {BOOT_TIMEOUT_S:.0f} s of booting; its last words: {self._last_line()}"
        )

    def _last_line(self) -> str:
        lines = [line for line in self.console.splitlines() if line.strip()]
        return lines[-1] if lines else "none"


@cache
def cores() -> frozenset[str]:
    """What this machine's QEMU can emulate."""
    said = subprocess.run([QEMU, "-cpu", "help"], capture_output=True, text=True, check=False).stdout
    return frozenset(line.strip() for line in said.splitlines()[1:])


def _command(board: Board, hardware: Hardware, port: int, console: Path) -> Sequence[str]:
    devices: Mapping[str, str] = {
        # no way out of the board but to the port that leads in
        "net": f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22",
        "disk": f"file={board.disk},format=raw,if=none,id=disk,snapshot=on",
    }
    return [
        *_ends_with_us(), QEMU, "-M", "virt", "-cpu", hardware.core, "-m", f"{hardware.ram_bytes >> 20}M", "-smp", "1",
        "-display", "none", "-monitor", "none", "-serial", f"file:{console}", "-nodefaults", "-no-reboot",
        # one nanosecond of the guest's clock an instruction; asleep it keeps to the real time, so that no time-out
        # of the guest's network comes early
        "-icount", "shift=0,align=off,sleep=on", "-accel", "tcg,thread=single",
        "-kernel", str(board.kernel), "-initrd", str(board.initrd), "-append", "console=ttyAMA0 quiet panic=-1",
        "-drive", devices["disk"], "-device", "virtio-blk-pci,drive=disk",
        "-netdev", devices["net"], "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci",
    ]  # fmt: skip


def _ends_with_us() -> Sequence[str]:
    """Nobody else would end it after ``kill -9`` of this process, and it computes also when nothing is asked of it."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _greets(port: int) -> bool:
    """QEMU takes the connection at once; the greeting comes when the board's server is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _panic(console: str) -> str:
    said = re.search(r"Kernel panic - not syncing: (.*)", console)
    return said[1].strip() if said else "kernel panic"
