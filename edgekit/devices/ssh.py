"""A board over ssh as a device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.catalog import load_catalog
from edgekit.devices.local import RUNNER, manifest_path
from edgekit.devices.session import READY_TIMEOUT_S, RunnerSession
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
        ready_timeout_s: float = READY_TIMEOUT_S,
        told: Callable[[str], None] | None = None,
    ) -> None:
        """``client``: further arguments of ssh; ``told`` hears what a user should know, such as what is sent.

        ``instructions_per_ms``: of a virtual board, whose clock counts instructions. ``ready_timeout_s``: for the
        login, and again for a runner to import its runtime.
        """
        self._ready_timeout_s = ready_timeout_s
        self._instructions_per_ms = instructions_per_ms
        self.name, self.kind = name, kind
        self._board, self._client, self._told = board, client, told or (lambda _: None)
        self._connection: Connection | None = None
        self._sent: dict[str, str] = {}
        self._noted: set[Path] = set()

    @property
    def threads(self) -> int:
        """One for each processor of the board. Raises DeviceError."""
        return int(self.facts()["cores"])

    def start(self, bundle_dir: Path, *, threads: int, keep_peaks: bool = False) -> RunnerSession:
        """Start a runner on the bundle, which is sent when it is new there. Raises DeviceError."""
        manifest = manifest_path(bundle_dir)
        target_id, runtime = _target_and_runtime(manifest)
        connection = self._connected()
        runner = self._send("runner", {"runner": RUNNER})
        bundle = self._send(_digest(manifest), {"bundle": bundle_dir.resolve()})
        if bundle_dir not in self._noted:
            self._noted.add(bundle_dir)
            self._note_other_arch(bundle_dir.name, target_id)
        packages = python_path(connection, runtime, self._told)
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
            ready_timeout_s=self._ready_timeout_s,
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

    def _note_other_arch(self, bundle: str, target_id: str) -> None:
        """Most artifacts run on any processor, so that this is no reason to refuse one."""
        target = load_catalog(told=lambda _: None).targets.get(target_id)
        arch = self.facts()["arch"]
        if target is not None and target.arch != arch:
            self._told(
                f"{bundle} was made for {target_id} ({target.arch}), and {self.name} is {arch}: it runs where the "
                "runtime takes it and its golden pair holds"
            )

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(
                self._board,
                name=self.name,
                client=self._client,
                timeout_s=self._ready_timeout_s,
                told=self._told,
            )
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


def _target_and_runtime(manifest: Path) -> tuple[str, str]:
    """What is asked of it before it is sent; the runner reads it strictly."""
    try:
        said = json.loads(manifest.read_bytes())
        return str(said["target"]), str(said["artifact"]["runtime"])
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError(f"{manifest}: not a bundle's manifest: {error!r}") from error
