"""Build a folder aside and move it into place in one step, so that a killed run leaves nothing half done.

A staging folder is held by a lock that dies with its process, also under ``kill -9``: whoever comes next can
tell a neighbour at work from wreckage, and removes the wreckage. Scratch folders for workers and runners are held
in the same way.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

STAGING = ".edgekit-staging-"
REPLACED = ".edgekit-replaced-"
SCRATCH = "edgekit-scratch-"


class Scratch:
    """A new empty folder among the machine's temporary ones, for this user alone, until it is closed."""

    def __init__(self, purpose: str) -> None:
        parent = Path(tempfile.gettempdir())
        _clean_scratch_once(parent)
        path, handle = _create_locked(parent, f"{SCRATCH}{purpose}-")
        self.path: Path = path
        self._handle: int | None = handle

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove it; may be called again."""
        if self._handle is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._handle)
            self._handle = None


@cache
def _clean_scratch_once(parent: Path) -> None:
    """Once a process: what killed ones left of this user's."""
    for path in sorted(parent.glob(f"{SCRATCH}*")):
        with suppress(OSError):
            if path.lstat().st_uid == os.getuid():
                _remove_unheld(path)


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """A new empty folder inside ``parent`` (made where absent), removed at the end unless moved away.

    OSError where ``parent`` cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    clean_stale(parent)
    path, handle = _create_locked(parent, STAGING)
    path.chmod(0o755)  # it becomes the bundle, which others may read
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


@contextmanager
def alone(final: Path) -> Iterator[None]:
    """Hold the lock beside ``final``, waiting for it: one process at a time makes it. It ends with this process."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with final.with_name(f"{final.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_once(final: Path, make: Callable[[Path, Path], None], *, anew: bool = False) -> None:
    """Make ``final`` aside and move it into place where it is not there yet, or ``anew``; others wait meanwhile.

    ``make`` gets the path to make, and a folder to work in.
    """
    if final.exists() and not anew:
        return
    with alone(final):
        if final.exists() and not anew:  # another process made it while this one waited
            return
        with staging_folder(final.parent) as staging:
            made, work = staging / final.name, staging / "work"
            work.mkdir()
            make(made, work)
            move_into_place(made, final)


def move_into_place(staged: Path, final: Path) -> None:
    """Rename ``staged`` (a file or folder of the same file system) to ``final``, replacing what is there."""
    if not final.exists() or not (staged.is_dir() or final.is_dir()):
        staged.replace(final)
        return
    # only files replace files; a folder steps aside, and clean_stale puts it back after a kill
    old = final.with_name(REPLACED + final.name)
    final.replace(old)
    staged.replace(final)
    _remove(old)


def clean_stale(parent: Path) -> None:
    """Remove what killed runs left in ``parent``, and put back what they had moved aside."""
    for path in sorted(parent.glob(f"{STAGING}*")):
        _remove_unheld(path)
    for old in sorted(parent.glob(f"{REPLACED}*")):
        final = old.with_name(old.name.removeprefix(REPLACED))
        if final.exists():
            _remove(old)
        else:
            old.replace(final)


def _remove_unheld(path: Path) -> None:
    handle = _lock(path)
    if handle is not None:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _create_locked(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        handle = _lock(path)
        # a neighbour's cleaning may have come between the two calls
        if handle is not None and path.exists():
            return path, handle
        if handle is not None:
            os.close(handle)


def _lock(path: Path) -> int | None:
    """Take the folder's lock without waiting; None where its process lives (or the folder went away)."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
