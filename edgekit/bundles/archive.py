"""A bundle as one zip: the same bytes from the same files, and nothing trusted when it is opened."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from edgekit.errors import BundleError

MAX_FILES = 10_000
MAX_BYTES = 16 * 2**30
MAX_EXPANSION = 200
"""Highest ratio of unpacked to packed size; weights hardly compress, long runs of zeros reach 1000."""
FREE_BYTES = 64 * 2**20
"""The ratio is not asked of archives that unpack to less than this."""
ENCRYPTED = 1
EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, archive: Path) -> None:
    """Write every file below ``folder`` into ``archive``: sorted, without this machine's times and modes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date_time=EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.file_size = path.stat().st_size
            with path.open("rb") as source, out.open(info, "w") as target:
                shutil.copyfileobj(source, target, 2**20)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack ``archive`` into the empty ``folder``; BundleError names the entries no bundle may have."""
    try:
        with zipfile.ZipFile(archive) as opened:
            problems = _problems(opened.infolist(), archive.stat().st_size)
            if problems:
                raise BundleError(f"{archive}: refused: " + "; ".join(problems[:8]))
            for info in opened.infolist():
                _write_entry(opened, info, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BundleError(f"{archive}: not a readable zip: {error}") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise BundleError(f"{archive}: refused: one entry is both a file and a folder") from error


def _problems(infos: list[zipfile.ZipInfo], packed_bytes: int) -> list[str]:
    problems = [problem for info in infos if (problem := _entry_problem(info))]
    names = [info.filename for info in infos]
    problems += [
        f"'{name}' occurs twice" for name in sorted({name for name in names if names.count(name) > 1})
    ]
    total = sum(info.file_size for info in infos)
    if len(infos) > MAX_FILES:
        problems.append(f"{len(infos)} entries, at most {MAX_FILES} are read")
        return problems[-1:]
    if total > MAX_BYTES or (total > FREE_BYTES and total > MAX_EXPANSION * packed_bytes):
        problems.append(f"{packed_bytes} bytes would unpack to {total}: looks like a zip bomb")
    return problems


def _entry_problem(info: zipfile.ZipInfo) -> str | None:
    path, mode = PurePosixPath(info.filename), info.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename:
        return f"'{info.filename}' points outside the bundle"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return f"'{info.filename}' is a link or device"
    if info.flag_bits & ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"'{info.filename}' is encrypted or packed in a way that is not read"
    return None


def _write_entry(opened: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> None:
    path = folder / info.filename
    if info.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # zipfile stops at the size that the directory declares, which was checked above
    with opened.open(info) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target, 2**20)
