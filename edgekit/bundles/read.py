"""Open a bundle, a folder or its zip, and read its manifest strictly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.archive import unpack
from edgekit.bundles.manifest import FileEntry, Manifest
from edgekit.digest import digests, sha256_of
from edgekit.errors import BundleError
from edgekit.paths import cache_dir
from edgekit.staging import move_into_place, staging_folder
from edgekit.strict import read_record

if TYPE_CHECKING:
    from edgekit.contracts import LoadedContract

MANIFEST = "manifest.json"
MANIFEST_DIGEST = "manifest.sha256"
"""As ``sha256sum -c`` reads it. It shows accidents, not forgery: who edits the one can edit both."""
UNLISTED = (MANIFEST, MANIFEST_DIGEST)
"""What the manifest does not list: itself, and what is written after it."""
SUFFIX = ".edgekit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose manifest was read; its other files are checked by ``verify_bundle``."""

    path: Path
    """What the user named: a folder or a zip."""
    folder: Path
    """The folder that holds the files: ``path``, or what the zip was unpacked to."""
    manifest: Manifest
    sha256: str
    """Of manifest.json, which names the hash of every other file."""

    @property
    def artifact(self) -> Path:
        return self.folder / self.manifest.artifact.path

    def contract(self) -> LoadedContract:
        """The pre- and post-processing this bundle was verified with; ContractError where it is broken."""
        from edgekit.contracts import load_contract

        return load_contract(self.folder / self.manifest.contract)


def read_bundle(path: Path) -> Bundle:
    """Read the bundle at ``path``, a folder or a zip; BundleError lists every problem of its manifest.

    A zip is unpacked once into the user's cache, under its own hash.
    """
    if not path.exists():
        raise BundleError(f"{path}: no such bundle. Make one with: edgekit convert MODEL -t host -o OUT")
    folder = path if path.is_dir() else _unpacked(path)
    manifest_path = folder / MANIFEST
    if not manifest_path.is_file():
        raise BundleError(f"{path}: not a bundle: it holds no {MANIFEST}")
    manifest, problems = read_record(manifest_path, Manifest)
    if manifest is not None:
        problems += [f"{manifest_path}: {problem}" for problem in _path_problems(manifest, folder)]
    if manifest is None or problems:
        raise BundleError("\n".join(problems))
    return Bundle(path=path, folder=folder, manifest=manifest, sha256=sha256_of(manifest_path))


def is_bundle(path: Path) -> bool:
    """Does this folder or zip hold a bundle that edgekit wrote?"""
    try:
        read_bundle(path)
    except BundleError:
        return False
    return True


def _path_problems(manifest: Manifest, folder: Path) -> list[str]:
    """A manifest may name files of its own bundle only: others' paths would be opened by the runner."""
    golden = (manifest.golden.sample, manifest.golden.tensors) if manifest.golden else ()
    named = {manifest.artifact.path, manifest.contract, manifest.sbom, *golden}
    named |= {manifest.answering.path}
    named |= {manifest.sensitivity} if manifest.sensitivity else set()
    named |= {entry.path for entry in manifest.files}
    inside = folder.resolve()
    outside = [name for name in sorted(named) if not (folder / name).resolve().is_relative_to(inside)]
    return [f"'{name}' points outside the bundle" for name in outside]


def _unpacked(archive: Path) -> Path:
    cache = cache_dir() / "bundles"
    folder = cache / sha256_of(archive)
    if folder.is_dir() and _is_whole(folder):
        return folder
    try:
        with staging_folder(cache) as staging:
            content = staging / "content"
            content.mkdir()
            unpack(archive, content)
            move_into_place(content, folder)
    except OSError as error:
        raise BundleError(f"{archive}: cannot be unpacked into {cache}: {error.strerror}") from error
    return folder


def _is_whole(folder: Path) -> bool:
    manifest, _ = read_record(folder / MANIFEST, Manifest)
    return manifest is not None and file_entries(folder, without=UNLISTED) == manifest.files


def file_entries(folder: Path, *, without: tuple[str, ...] = ()) -> tuple[FileEntry, ...]:
    """Every file below ``folder`` as the manifest lists it."""
    return tuple(FileEntry(**asdict(file)) for file in digests(folder, without=without))
