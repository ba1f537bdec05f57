"""Read ``manifest.json`` as plain JSON and check the files that it lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .failure import RunnerError


@dataclass(frozen=True)
class Tensor:
    """One input or output of the artifact; ``tensor = source.transpose(transpose)``."""

    name: str
    source: str
    transpose: tuple[int, ...] | None
    dtype: str


@dataclass(frozen=True)
class Bundle:
    """What the runner needs of a manifest."""

    folder: Path
    name: str
    artifact: Path
    runtime: str
    options: Mapping[str, str]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    source_nodes: Mapping[str, str]
    files: Mapping[str, str]
    """Path in the bundle -> sha256."""
    golden: Path | None
    max_relative_error: float


def read_bundle(folder: Path) -> Bundle:
    """Read the manifest in ``folder``; RunnerError where it is absent, broken or points outside."""
    path = folder / "manifest.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        bundle = _parse(folder, data)
    except OSError as error:
        raise RunnerError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunnerError(f"{path}: not a bundle's manifest: {error!r}") from error
    inside = folder.resolve()
    for file in (bundle.artifact, bundle.golden):
        if file is not None and inside not in file.resolve().parents:
            raise RunnerError(f"{path}: {file} is outside the bundle")
    return bundle


def check_files(bundle: Bundle) -> None:
    """RunnerError names every file that is absent or was changed since the manifest was written."""
    wrong = [name for name, sha256 in bundle.files.items() if _sha256(bundle.folder / name) != sha256]
    if wrong:
        raise RunnerError(
            f"{bundle.folder}: absent or changed since the bundle was written: {', '.join(wrong)}"
        )


def _parse(folder: Path, data: Any) -> Bundle:
    # an artifact that only its own chip runs brings the file that answers in its place
    artifact, golden = data.get("reference") or data["artifact"], data.get("golden")
    return Bundle(
        folder=folder,
        name=str(data["name"]),
        artifact=folder / artifact["path"],
        runtime=str(artifact["runtime"]),
        options={str(key): str(value) for key, value in artifact.get("runtime_options", {}).items()},
        inputs=_tensors(artifact["io"]["inputs"]),
        outputs=_tensors(artifact["io"]["outputs"]),
        source_nodes=dict(artifact.get("source_nodes", {})),
        files={str(entry["path"]): str(entry["sha256"]) for entry in data["files"]},
        golden=folder / golden["tensors"] if golden else None,
        max_relative_error=float(golden["max_relative_error"]) if golden else 0.0,
    )


def _tensors(entries: list[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            name=str(entry["name"]),
            source=str(entry["source"]),
            transpose=tuple(int(axis) for axis in entry["transpose"]) if entry["transpose"] else None,
            dtype=str(entry["dtype"]),
        )
        for entry in entries
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
