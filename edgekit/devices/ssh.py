"""A board over ssh as a device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.devices.local import RUNNER, manifest_path
from edgekit.devices.session import RunnerSession
from edgekit.devices.ssh_address import SshAddress
from edgekit.devices.ssh_connection import Connection
from edgekit.devices.ssh_packages import python_path
from edgekit.devices.ssh_transport import SshTransport
from edgekit.errors import DeviceError
from edgekit.vocabulary import MeasurementKind


class SshDevice:
    """Runs bundles on a board; connects when first needed, and stays connected until closed."""

    def __init__(
        self,
        board: SshAddress,
        *,
        name: str,
        kind: MeasurementKind = "measured",
        client: Sequence[str] = (),
        instructions_per_ms: float | None = None,
        told: Callable[[str], None] | None = None,
    ) -> None:
        """``client``: further arguments of ssh; ``told`` hears what a user should know, such as what is sent.

        ``instructions_per_ms``: of a virtual board, whose clock counts instructions.
        """
        self._instructions_per_ms = instructions_per_ms
        self.name, self.kind = name, kind
        self._board, self._client, self._told = board, client, told or (lambda _: None)
        self._connection: Connection | None = None
        self._sent: dict[str, str] = {}

    def start(self, bundle_dir: Path, *, threads: int, keep_peaks: bool = False) -> RunnerSession:
        """Start a runner on the bundle, which is sent when it is new there. Raises DeviceError."""
        manifest = manifest_path(bundle_dir)
        connection = self._connected()
        runner = self._send("runner", {"runner": RUNNER})
        bundle = self._send(_digest(manifest), {"bundle": bundle_dir.resolve()})
        packages = python_path(connection, _runtime(manifest), self._told)
        where = f"{bundle_dir.name} on {self.name}"
        transport = SshTransport(connection, [runner, *packages], where=where)
        arguments = ["serve", f"{bundle}/bundle", "--threads", str(threads)]
        process = transport.start(
            "runner", [*arguments, *(["--keep-peaks"] if keep_peaks else [])], threads=threads
        )
        return RunnerSession(
            transport,
            process,
            where=where,
            instructions_per_ms=self._instructions_per_ms,
        )

    def close(self) -> None:
        """Remove what is on the board but the runtimes, and disconnect; may be called again."""
        connection, self._connection = self._connection, None
        self._sent.clear()
        if connection is not None:
            connection.close()

    def facts(self) -> dict[str, Any]:
        """What the board says of itself."""
        return self._connected().facts

    def run(self, command: str) -> tuple[int, str]:
        """Run a shell command on the board; exit status and what it said."""
        return self._connected().run(command)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self._board, name=self.name, client=self._client, told=self._told)
        return self._connection

    def _send(self, key: str, files: dict[str, Path]) -> str:
        """The folder on the board that holds the files, sent the first time in a connection."""
        if key not in self._sent:
            folder = f"{self._connected().work}/sent-{len(self._sent)}"
            self._connected().push(files, folder)
            self._sent[key] = folder
        return self._sent[key]


def _digest(manifest: Path) -> str:
    """The manifest has the hash of every other file, so that it stands for the bundle."""
    return hashlib.sha256(manifest.read_bytes()).hexdigest()


def _runtime(manifest: Path) -> str:
    try:
        return str(json.loads(manifest.read_bytes())["artifact"]["runtime"])
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError(f"{manifest}: not a bundle's manifest: {error!r}") from error
