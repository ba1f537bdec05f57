"""A model file without a bundle, made runnable: a temporary bundle around it, with made-up inputs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit import __version__
from edgekit.bundles.manifest import Artifact, Golden, Io, Manifest, SourceModel, TensorEntry
from edgekit.bundles.read import MANIFEST, file_entries
from edgekit.data.arrays import write_arrays
from edgekit.errors import ModelError

if TYPE_CHECKING:
    from edgekit.contracts.types import Tensor
    from edgekit.models.model import Model, TensorSpec

_INPUTS = "inputs.npz"


def plain_bundle(path: Path, folder: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Path:
    """Lay a bundle around the model (.onnx, .tflite) into the new ``folder``, which is returned.

    Its inputs are seeded noise (ones for integers, which may be indices): good for times, not for answers.
    ModelError where the model cannot be read or an input's shape is left open.
    """
    model = _load(path, dict(shapes or {}))
    folder.mkdir(parents=True)
    _copy_files(model, folder)
    write_arrays(folder / _INPUTS, {f"in:{spec.name}": _noise(spec, path) for spec in model.inputs})
    manifest = _manifest(model).model_copy(update={"files": file_entries(folder)})
    (folder / MANIFEST).write_text(manifest.model_dump_json(by_alias=True, indent=1))
    return folder


def _load(path: Path, shapes: dict[str, tuple[int, ...]]) -> Model:
    """The model with its free shapes fixed by the user, else by the contract beside it."""
    from edgekit.contracts import find_contract, load_contract
    from edgekit.contracts.fitting import input_shape
    from edgekit.models import load_model

    model, contract = load_model(path, shapes), find_contract(path)
    free = {spec.name for spec in model.inputs if not all(isinstance(side, int) for side in spec.shape)}
    for item in load_contract(contract).schema.inputs if contract and free else ():
        sides = [side for side in input_shape(item) if side is not None]
        if item.name in free and len(sides) == len(input_shape(item)):
            shapes.setdefault(item.name, tuple(sides))
    return load_model(path, shapes) if free and shapes else model


def _copy_files(model: Model, folder: Path) -> None:
    home = model.path.resolve().parent
    for file in (model.path.resolve(), *(file.resolve() for file in model.external_files)):
        target = folder / file.relative_to(home)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _noise(spec: TensorSpec, path: Path) -> Tensor:
    sides = [side for side in spec.shape if isinstance(side, int) and side >= 0]
    if len(sides) != len(spec.shape):
        raise ModelError(
            f"{path}: input '{spec.name}' has no fixed shape {list(spec.shape)}; "
            f"give one with --shape {spec.name}:1,…"
        )
    if spec.dtype.startswith("float"):
        return np.random.default_rng(0).standard_normal(sides).astype(spec.dtype)
    try:
        return np.ones(sides, spec.dtype)
    except TypeError:
        raise ModelError(
            f"{path}: input '{spec.name}' is {spec.dtype}, which edgekit cannot make up"
        ) from None


def _manifest(model: Model) -> Manifest:
    return Manifest(
        edgekit=__version__,
        name=model.name,
        task="tensor",
        target="host",
        converter="source",
        model=SourceModel(
            name=model.name,
            sha256=model.sha256,
            size_bytes=model.size_bytes,
            licence=model.licence,
            origin=None,
            shapes=dict(model.shapes),
        ),
        artifact=Artifact(
            path=model.path.name,
            format=model.format,
            runtime="onnxruntime" if model.format == "onnx" else "litert",
            precision="int8" if model.quantized else "fp32",
            io=Io(inputs=_entries(model.inputs), outputs=_entries(model.outputs)),
        ),
        steps=(),
        files=(),
        golden=Golden(sample=_INPUTS, tensors=_INPUTS, max_relative_error=0.0, prediction="{}"),
        notes=("a model file as it is, on made-up inputs",),
    )


def _entries(specs: tuple[TensorSpec, ...]) -> tuple[TensorEntry, ...]:
    # runners take any dtype of numpy; a manifest names those of models that edgekit converts
    return tuple(
        TensorEntry.model_validate(
            {"name": spec.name, "source": spec.name, "transpose": None, "dtype": spec.dtype}
        )
        for spec in specs
    )
