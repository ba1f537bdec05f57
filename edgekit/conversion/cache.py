"""Finished steps of conversions, kept by what they were made from, so that a second run reuses them.

A step's folder holds ``out/`` (its files) and ``step.json`` (key, files with hashes, the worker's reply). It is
built aside and renamed into place: a killed run leaves nothing that looks finished. A folder whose files no
longer have their hashes is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edgekit.digest import digests, tree_sha256
from edgekit.errors import ConversionError
from edgekit.staging import move_into_place, staging_folder

if TYPE_CHECKING:
    from edgekit.conversion.protocol import ConversionReply

MAX_BYTES = 8 * 2**30
"""Beyond this the steps used least lately are removed."""
IN_USE_S = 3600
"""A step used within this time may still be read by a neighbour's run and stays."""
_RECORD = "step.json"

Key = Mapping[str, object]
"""JSON values that a step's result depends on, all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedStep:
    """A step's files and the reply that describes them."""

    folder: Path
    """Where the reply's names start."""
    reply: ConversionReply
    sha256: str
    """Of the files; a single one's own hash."""
    reused: bool

    @property
    def artifact(self) -> Path:
        return self.folder / self.reply["artifact"]


@dataclass(frozen=True, slots=True)
class StepCache:
    """Finished steps below ``folder``."""

    folder: Path

    def get(self, key: Key, make: Callable[[Path], ConversionReply]) -> FinishedStep:
        """The step of ``key``; where it is not here yet, ``make`` writes it into an empty folder.

        ConversionError where the cache cannot be written; other errors of ``make`` pass through.
        """
        place = self.folder / digest(key)
        found = _read(place)
        if found is not None:
            os.utime(place)
            return found
        with _as_conversion_error(self.folder), staging_folder(self.folder) as staging:
            step = staging / "step"
            (step / "out").mkdir(parents=True)
            reply = make(step / "out")
            files = [asdict(file) for file in digests(step / "out")]
            record = {"key": dict(key), "files": files, "reply": reply}
            (step / _RECORD).write_text(json.dumps(record, indent=1, sort_keys=True))
            move_into_place(step, place)
        made = _read(place)
        if made is None:
            raise ConversionError(
                f"{place}: damaged while it was written; is another program using this folder?"
            )
        return replace(made, reused=False)

    def prune(self, max_bytes: int = MAX_BYTES) -> None:
        """Remove the steps used least lately until at most ``max_bytes`` remain, those in use aside."""
        steps = {record.parent: record.parent.stat().st_mtime for record in self.folder.glob(f"*/{_RECORD}")}
        total, now = 0, time.time()
        for step, used in sorted(steps.items(), key=lambda item: item[1], reverse=True):
            total += sum(path.stat().st_size for path in step.rglob("*") if path.is_file())
            if total > max_bytes and now - used > IN_USE_S:
                shutil.rmtree(step, ignore_errors=True)


def digest(key: Key) -> str:
    """The name of a step: a hash of all it depends on."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _read(place: Path) -> FinishedStep | None:
    """The finished step at ``place``; None where there is none or its files changed."""
    try:
        record = json.loads((place / _RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    files = digests(place / "out")
    if [asdict(file) for file in files] != record["files"]:
        return None
    reply = cast("ConversionReply", record["reply"])
    return FinishedStep(folder=place / "out", reply=reply, sha256=tree_sha256(files), reused=True)


@contextmanager
def _as_conversion_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise ConversionError(
            f"{where}: {error.strerror or error}. Free some space; EDGEKIT_CACHE names another cache folder"
        ) from error
