"""The zoo in the user's cache: one finished folder a model, made aside and moved into place whole."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edgekit.errors import FetchError, ModelError
from edgekit.models.zoo.entries import entries, entry
from edgekit.models.zoo.making import make, recipe_sha256
from edgekit.models.zoo.packages import PackageFiles, file_sha256
from edgekit.models.zoo.schema import ZooModel
from edgekit.paths import cache_dir
from edgekit.progress import Advance
from edgekit.staging import move_into_place, staging_folder

_MODEL_SUFFIXES = {".onnx", ".tflite", ".ort"}


def quiet(done: float, total: float, doing: str) -> None:
    """Report no progress."""


def zoo_dir() -> Path:
    """Where fetched models are; may be absent."""
    return cache_dir() / "zoo"


def model_folder(model_id: str) -> Path:
    """Where the finished model is, or will be."""
    return zoo_dir() / model_id


def is_fetched(model: ZooModel) -> bool:
    """Whether the folder is there, was made by this very recipe, and every file in it has its hash."""
    folder = model_folder(model.id)
    try:
        origin = json.loads((folder / "origin.json").read_text())
        if origin["recipe_sha256"] != recipe_sha256(model):
            return False
        return all(file_sha256(folder / name) == digest for name, digest in origin["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def resolve(model: str, advance: Advance = quiet) -> Path:
    """The path that ``model`` is, or the .onnx of the zoo model of that id, fetched and made where absent.

    ModelError where it is neither; FetchError where its packages cannot be had.
    """
    path = Path(model)
    if path.exists() or path.suffix in _MODEL_SUFFIXES or len(path.parts) > 1:
        return path
    if model not in entries():
        try:
            entry(model)
        except ModelError as error:
            raise ModelError(f"{model}: no such file, and {error}") from None
    return get([model], advance)[0] / f"{model}.onnx"


def get(model_ids: Iterable[str], advance: Advance = quiet) -> list[Path]:
    """The folders of these models, in order; what is absent or changed is fetched and made.

    A killed run leaves nothing behind that a later one would take for finished. Raises as ``resolve``.
    """
    return ensure([entry(model_id) for model_id in model_ids], advance)


def ensure(models: Sequence[ZooModel], advance: Advance = quiet) -> list[Path]:
    """As ``get``, for the models themselves."""
    if not all(is_fetched(model) for model in models):
        try:
            _make_missing(models, advance)
        except OSError as error:
            where = error.filename or zoo_dir()
            raise FetchError(f"{where}: {error.strerror}; EDGEKIT_CACHE names another cache") from error
    return [model_folder(model.id) for model in models]


def _make_missing(models: Iterable[ZooModel], advance: Advance) -> None:
    with _alone(advance), staging_folder(zoo_dir()) as staging:
        packages = PackageFiles(staging / "packages")
        for model in models:
            _ensure(model, packages, staging, advance)


def _ensure(model: ZooModel, packages: PackageFiles, staging: Path, advance: Advance) -> None:
    if is_fetched(model):  # also when a neighbour made it while we waited
        return
    base = None
    if model.base is not None:
        _ensure(entry(model.base.id), packages, staging, advance)
        base = model_folder(model.base.id)
    work = staging / model.id
    work.mkdir()
    move_into_place(make(model, packages, base, work, advance), model_folder(model.id))
    shutil.rmtree(work)


@contextmanager
def _alone(advance: Advance) -> Iterator[None]:
    """One process at a time makes models; the lock ends with its process."""
    root = zoo_dir()
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            advance(0, 1, "waiting for another edgekit that fetches models")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
