"""Make one model's folder: its packages' files, through its builder, checked against the promised hash."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from edgekit.errors import FetchError, ModelError
from edgekit.models.zoo.builders import BUILDERS
from edgekit.models.zoo.entries import FOLDER
from edgekit.models.zoo.packages import PackageFiles, file_sha256
from edgekit.models.zoo.schema import ZooModel
from edgekit.progress import Advance

Build = Callable[[Mapping[str, Path], Path], None]
CHECKOUT = Path(__file__).parents[3]


def recipe_sha256(model: ZooModel) -> str:
    """Hash of everything of ours that shapes the model's folder; another one means: make it again."""
    digest = hashlib.sha256(model.model_dump_json().encode())
    ours = [FOLDER / "contracts" / model.contract] if model.contract else []
    ours += sorted(
        path for path in (FOLDER / "data").iterdir() if path.stem.rpartition("_")[0] == model.builder
    )
    ours += [CHECKOUT / model.local / name for name in ("contract.toml", "labels.txt")] if model.local else []
    for name in sorted(_modules(model.builder)):
        digest.update(_source(name).encode())
    for path in ours:
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def _modules(builder: str, found: frozenset[str] = frozenset()) -> frozenset[str]:
    """The builder's module and those of its room that it imports."""
    found |= {builder}
    for name in re.findall(
        r"^from edgekit\.models\.zoo\.builders\.(\w+) import", _source(builder), re.MULTILINE
    ):
        if name not in found:
            found = _modules(name, found)
    return found


@cache
def _source(name: str) -> str:
    return (FOLDER / "builders" / f"{name}.py").read_text()


def make(model: ZooModel, packages: PackageFiles, base: Path | None, work: Path, advance: Advance) -> Path:
    """The finished folder of ``model`` inside the empty folder ``work``; FetchError where the hash is not the promised."""
    files = _gather(model, packages, base, work, advance)
    out = work / "out"
    out.mkdir()
    advance(0, 1, f"making {model.id}")
    build: Build = import_module(BUILDERS[model.builder]).build
    build(files, out)
    onnx = (out / "model.onnx").rename(out / f"{model.id}.onnx")
    if (got := file_sha256(onnx)) != model.onnx_sha256:
        raise FetchError(
            f"model '{model.id}' came out with sha256 {got}, expected {model.onnx_sha256}: the builder or the onnx "
            "package differs from the one the zoo was made with; please report this"
        )
    if model.contract:
        shutil.copyfile(FOLDER / "contracts" / model.contract, out / "contract.toml")
    (out / "LICENSE").write_text(_licence_text(model, files))
    (out / "origin.json").write_text(json.dumps(_origin(model, out), indent=2, ensure_ascii=False) + "\n")
    return out


def local_folder(model: ZooModel) -> Path:
    """The checkout's folder of a model that this project trained; ModelError where this is no checkout."""
    folder = CHECKOUT / str(model.local)
    if not folder.is_dir():
        raise ModelError(
            f"model '{model.id}' comes with a checkout of edgekit ({model.local}/), which this installation is not; "
            "clone the repository and name the .onnx file there"
        )
    return folder


def _gather(
    model: ZooModel, packages: PackageFiles, base: Path | None, work: Path, advance: Advance
) -> dict[str, Path]:
    into = work / "files"
    into.mkdir()
    files: dict[str, Path] = {}
    for package in model.packages:
        files |= packages.files(package, into, advance)
    if model.base is not None and base is not None:
        files |= {key: base / name for key, name in model.base.members.items()}
    if model.local is not None:
        folder = local_folder(model)
        files |= {f"licence_{path.stem}": path for path in folder.glob("LICENSE*")} | {"folder": folder}
    return files


def _licence_text(model: ZooModel, files: Mapping[str, Path]) -> str:
    """What the licences are and what vouches for them, then every text that the packages or we have of them."""
    parts = [f"{model.name}\n" + "\n".join(f"- {x.of}: {x.spdx}. {x.vouched_by}" for x in model.licences)]
    parts += [path.read_text() for key, path in sorted(files.items()) if key.startswith("licence")]
    known = (FOLDER / "licences" / f"{name}.txt" for name in sorted({x.spdx for x in model.licences}))
    parts += [path.read_text() for path in known if path.is_file()]
    return ("\n" + "-" * 80 + "\n").join(part.strip() + "\n" for part in parts)


def _origin(model: ZooModel, out: Path) -> dict[str, Any]:
    kept = model.model_dump(
        mode="json", include={"id", "name", "task", "licences", "origin", "onnx_sha256", "samples"}
    )
    packages = [p.model_dump(include={"registry", "name", "version", "sha256"}) for p in model.packages]
    files = sorted(path for path in out.rglob("*") if path.is_file())
    hashes = {path.relative_to(out).as_posix(): file_sha256(path) for path in files}
    return {
        **kept,
        "licence": model.licences[0].spdx,
        "packages": packages,
        "base": model.base.id if model.base else None,
        "recipe_sha256": recipe_sha256(model),
        "files": hashes,
    }
