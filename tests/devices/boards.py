"""A board for tests: a real ssh server of this user's on a loopback port, with throwaway keys and its own folders."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SSHD = "/usr/sbin/sshd"
HOST = "board"
_SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv XDG_CACHE_HOME="{folder}/cache"
"""
_CLIENT = """\
Host {host}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
"""


@dataclass(frozen=True, slots=True)
class SshServer:
    """A running one; its files may be changed to spoil something."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def client(self) -> tuple[str, ...]:
        """Arguments with which ssh gets there, as ``board``."""
        return ("-F", str(self.folder / "config"))

    @property
    def root(self) -> Path:
        """Where edgekit keeps its things on this board."""
        return self.folder / "cache" / "edgekit"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def spec(self, python: str = sys.executable) -> str:
        """The device's name; this very Python has the runtimes."""
        return f"ssh://{HOST}?python={python}"

    def hang_up(self) -> None:
        """Break every connection, as a network does: the server's own part ends at once, without a goodbye."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            # one may have ended with another that was ended before it
            with suppress(psutil.NoSuchProcess):
                if process.name() == "sshd":
                    process.kill()

    def put_first_on_path(self, folder: Path) -> str:
        """Make a ``ssh`` that reads the client's configuration, as a user's own would; the PATH to it."""
        folder.mkdir()
        script = folder / "ssh"
        script.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.folder}/config "$@"\n')
        script.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"


def missing() -> str | None:
    """Why there can be no such board here; None where there can."""
    for tool, package in (("ssh", "openssh-client"), (SSHD, "openssh-server")):
        if shutil.which(tool) is None:
            return f"no {tool}: sudo apt-get install {package}"
    return None


@contextmanager
def ssh_server(folder: Path, *settings: str) -> Iterator[SshServer]:
    """Serve from ``folder`` until the end of the block, with further lines of sshd's configuration."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # the service makes it, and there is none
    for name in ("host_key", "user_key"):
        make_key(folder / name)
    port = _free_port()
    (folder / "sshd_config").write_text(_SERVER.format(port=port, folder=folder) + "".join(settings))
    (folder / "config").write_text(
        _CLIENT.format(host=HOST, port=port, user=getpass.getuser(), folder=folder)
    )
    public = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(port, process, folder / "log")
        yield SshServer(folder, port, process)
    finally:
        process.terminate()
        process.wait()


def make_key(path: Path, passphrase: str = "") -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"sshd does not serve: {log.read_text()}")
