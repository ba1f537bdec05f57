"""Write a bundle in two moves: what the runner needs to start it, then golden pair, bill of materials, manifest."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.golden import TENSORS, TOLERANCE, GoldenTensors, write_tensors
from edgekit.bundles.manifest import FileEntry, Golden, Manifest
from edgekit.bundles.read import MANIFEST, MANIFEST_DIGEST, UNLISTED, file_entries
from edgekit.bundles.readme import readme
from edgekit.bundles.sbom import sbom
from edgekit.data import write_raw
from edgekit.digest import digests, sha256_of, tree_sha256

if TYPE_CHECKING:
    from edgekit.contracts import LoadedContract
    from edgekit.contracts.types import Raw

ARTIFACT = "artifact"
LICENCE = "LICENSE.txt"
SAMPLE = "golden-sample"
_NO_LICENCE = "No licence is stated in the source model or beside it. Ask its author before you pass it on.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a bundle is laid out from."""

    manifest: Manifest
    """Its ``files`` are filled in by ``finish``."""
    artifact_files: Mapping[str, Path]
    """Name in the bundle (``artifact/…``) -> the file to copy."""
    contract: LoadedContract
    licence_files: tuple[Path, ...] = ()


def lay_out(folder: Path, parts: Parts) -> None:
    """Write artifact, contract, licence and a first manifest into ``folder``: enough for a runner to start."""
    for name, source in parts.artifact_files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    parts.contract.write_to(folder)
    _write_licence(folder, parts)
    write_manifest(folder, parts.manifest)


def add_golden(
    folder: Path, manifest: Manifest, raw: Raw, tensors: GoldenTensors, prediction: str
) -> Manifest:
    """Write the golden pair; return the manifest that names it. ``prediction`` is canonical JSON."""
    sample = write_raw(raw, folder, SAMPLE).name
    write_tensors(tensors, folder / TENSORS)
    golden = Golden(
        sample=sample,
        tensors=TENSORS,
        max_relative_error=TOLERANCE[manifest.artifact.precision],
        prediction=prediction,
    )
    finished = manifest.model_copy(update={"golden": golden})
    write_manifest(folder, finished)
    return finished


def finish(folder: Path, manifest: Manifest) -> Manifest:
    """Write README.txt, the bill of materials, the manifest with every file's hash, and its own hash beside it.

    Return the manifest.
    """
    (folder / "README.txt").write_text(readme(manifest), encoding="utf-8")
    bill = sbom(
        name=manifest.name,
        model=manifest.model,
        artifact=manifest.artifact,
        files=artifact_entries(folder),
        steps=manifest.steps,
        runtime_version=runtime_version(manifest.artifact.runtime),
    )
    (folder / manifest.sbom).write_text(bill, encoding="utf-8")
    finished = manifest.model_copy(update={"files": file_entries(folder, without=UNLISTED)})
    write_manifest(folder, finished)
    digest = f"{sha256_of(folder / MANIFEST)}  {MANIFEST}\n"
    (folder / MANIFEST_DIGEST).write_text(digest, encoding="utf-8")
    return finished


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``; ValueError where a figure is not finite."""
    facts = manifest.model_dump(mode="json", by_alias=True)
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def artifact_entries(folder: Path) -> tuple[FileEntry, ...]:
    """The artifact's files in the bundle's names."""
    found = file_entries(folder / ARTIFACT)
    return tuple(entry.model_copy(update={"path": f"{ARTIFACT}/{entry.path}"}) for entry in found)


def artifact_sha256(folder: Path) -> str:
    """One digest of the artifact, whatever the number of its files: what the last step's child is."""
    return tree_sha256(digests(folder / ARTIFACT))


def runtime_version(runtime: str) -> str | None:
    """Version of the runtime installed here, which the artifact was verified with."""
    names = {"onnxruntime": "onnxruntime", "openvino": "openvino", "litert": "ai-edge-litert"}
    if runtime not in names:
        return None
    try:
        return importlib.metadata.version(names[runtime])
    except importlib.metadata.PackageNotFoundError:
        return None


def _write_licence(folder: Path, parts: Parts) -> None:
    stated = parts.manifest.licence
    text = f"Licence of the source model, as its author states it: {stated}\n" if stated else _NO_LICENCE
    for path in parts.licence_files:
        text += f"\n--- {path.name} ---\n{path.read_text(encoding='utf-8', errors='replace')}"
    (folder / LICENCE).write_text(text, encoding="utf-8")
