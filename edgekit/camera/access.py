"""Whether a service's user can read what it is given, before it starts and cannot."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import CameraError

UNSEEN = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108
"""Folders that the service has its own of, and that lose their files when the machine starts."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A user by numbers; one that systemd makes has none. Root is one like others: the service has no capabilities."""

    name: str
    uid: int | None
    gids: frozenset[int]

    def may(self, path: Path, right: int) -> bool:
        """``right``: stat.S_IROTH or S_IXOTH."""
        found = path.stat()
        if self.uid == found.st_uid:
            return bool(found.st_mode & right << 6)
        return bool(found.st_mode & (right << 3 if found.st_gid in self.gids else right))


def reader(user: str | None) -> Reader:
    """CameraError where this machine has no such user."""
    if user is None:
        return Reader("the service's own user", None, frozenset())
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CameraError(
            f"--user {user}: this machine has no such user; sudo useradd --system {user}"
        ) from None
    groups = {group.gr_gid for group in grp.getgrall() if user in group.gr_mem}
    return Reader(user, entry.pw_uid, frozenset({entry.pw_gid, *groups}))


def check_readable(path: Path, who: Reader) -> None:
    """CameraError names the first file or folder below ``path``, or above it, that ``who`` may not read."""
    for folder in UNSEEN:
        if path.is_relative_to(folder):
            raise CameraError(
                f"{path}: a service does not see {folder}, which is emptied at the next start; put it in /opt or /srv"
            )
    for above in reversed(path.parents):
        _check(above, stat.S_IXOTH, who)
    for below in (path, *_below(path)):
        _check(below, stat.S_IROTH | (stat.S_IXOTH if below.is_dir() else 0), who)


def _below(path: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(path):
        yield from (Path(folder, name) for name in (*folders, *files))


def _check(path: Path, rights: int, who: Reader) -> None:
    for right in (stat.S_IROTH, stat.S_IXOTH):
        if rights & right and not who.may(path, right):
            raise CameraError(
                f"{path}: {who.name} may not read it; put it in /opt or /srv, readable for all, or name one who may: "
                "--user"
            )
