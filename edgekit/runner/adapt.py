"""Between the source model's tensors and the artifact's: names, layouts, dtypes, quantized I/O."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .bundle import Bundle, Tensor
from .failure import RunnerError
from .sessions import Array, Session, Spec


def to_artifact(bundle: Bundle, session: Session, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """The artifact's inputs from the source model's; RunnerError names what is missing or does not fit."""
    missing = [tensor.source for tensor in bundle.inputs if tensor.source not in feeds]
    if missing:
        raise RunnerError(f"inputs missing: {', '.join(missing)}; given: {', '.join(feeds) or 'none'}")
    specs = {spec.name: spec for spec in session.inputs}
    return {
        tensor.name: _encode(feeds[tensor.source], tensor, _spec(specs, tensor)) for tensor in bundle.inputs
    }


def to_source(
    bundle: Bundle, session: Session, outputs: Mapping[str, Array], dtypes: Mapping[str, str]
) -> dict[str, Array]:
    """The source model's outputs from the artifact's; ``dtypes`` by source name, where they are known."""
    specs = {spec.name: spec for spec in session.outputs}
    return {
        tensor.source: _decode(outputs[tensor.name], tensor, _spec(specs, tensor), dtypes.get(tensor.source))
        for tensor in bundle.outputs
    }


def _spec(specs: Mapping[str, Spec], tensor: Tensor) -> Spec:
    if tensor.name not in specs:
        raise RunnerError(f"the artifact has no tensor '{tensor.name}'; it has: {', '.join(specs)}")
    return specs[tensor.name]


def _encode(source: Array, tensor: Tensor, spec: Spec) -> Array:
    if tensor.transpose:
        if source.ndim != len(tensor.transpose):
            raise RunnerError(
                f"input '{tensor.source}': {source.ndim} dimensions, not {len(tensor.transpose)}"
            )
        source = source.transpose(tensor.transpose)
    fits = len(spec.shape) == source.ndim and all(
        want in (-1, have) for want, have in zip(spec.shape, source.shape)
    )
    if not fits:
        raise RunnerError(f"input '{tensor.source}': shape {source.shape}, the artifact takes {spec.shape}")
    if spec.scale and source.dtype.kind == "f":
        source = _quantize(source, spec)
    return np.asarray(source, dtype=spec.dtype, order="C")


def _quantize(values: Array, spec: Spec) -> Array:
    bounds = np.iinfo(spec.dtype)
    rounded: Array = np.rint(values / spec.scale) + spec.zero_point
    return rounded.clip(bounds.min, bounds.max)


def _decode(values: Array, tensor: Tensor, spec: Spec, dtype: str | None) -> Array:
    if spec.scale and (dtype is None or np.dtype(dtype).kind == "f"):
        values = ((values.astype(np.float32) - spec.zero_point) * spec.scale).astype(np.float32)
    if tensor.transpose:
        values = values.transpose(np.argsort(tensor.transpose))
    if dtype is None:
        dtype = "float32" if values.dtype == np.float16 else values.dtype.name
    return np.asarray(values, dtype=dtype, order="C")
