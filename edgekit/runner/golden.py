"""The golden pair: inputs and the answers that were recorded when the bundle was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .arrays import read_npz
from .bundle import Bundle
from .sessions import Array, Session


@dataclass(frozen=True)
class Golden:
    """Arrays in the source model's names, layouts and dtypes."""

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    @property
    def dtypes(self) -> dict[str, str]:
        """dtype of each output of the source model."""
        return {name: value.dtype.name for name, value in self.outputs.items()}


def read_golden(bundle: Bundle) -> Golden | None:
    """The bundle's golden pair, None where it has none; RunnerError where it cannot be read."""
    if bundle.golden is None:
        return None
    values = read_npz(bundle.golden)
    return Golden(
        inputs={name[3:]: value for name, value in values.items() if name.startswith("in:")},
        outputs={name[4:]: value for name, value in values.items() if name.startswith("out:")},
    )


def compare(golden: Golden, outputs: Mapping[str, Array], allowed: float) -> dict[str, object]:
    """Largest ``max|out - golden| / max|golden|``, smallest cosine, and whether that is within ``allowed``."""
    errors = [_relative_error(value, outputs[name]) for name, value in golden.outputs.items()]
    cosines = [_cosine(value, outputs[name]) for name, value in golden.outputs.items()]
    worst = max(errors, default=0.0)
    return {
        "max_relative_error": worst,
        "cosine": min(cosines, default=1.0),
        "allowed": allowed,
        # not: worst > allowed, which a NaN would pass
        "reproduced": bool(worst <= allowed),
    }


def synthetic_inputs(session: Session) -> dict[str, Array]:
    """Inputs in the artifact's own names for a bundle without a golden pair: noise, and ones for integers."""
    random = np.random.default_rng(0)
    return {
        spec.name: _synthetic(tuple(max(size, 1) for size in spec.shape), spec.dtype, random)
        for spec in session.inputs
    }


def _synthetic(shape: tuple[int, ...], dtype: str, random: np.random.Generator) -> Array:
    if np.dtype(dtype).kind == "f":
        return random.standard_normal(shape).astype(dtype)
    # integers may be indices of a table whose size is not known here
    return np.ones(shape, dtype)


def _relative_error(want: Array, have: Array) -> float:
    if want.shape != have.shape:
        return float("inf")
    if not want.size:
        return 0.0
    difference = float(np.max(np.abs(want.astype(np.float64) - have.astype(np.float64))))
    scale = float(np.max(np.abs(want.astype(np.float64))))
    return difference / scale if scale else difference


def _cosine(want: Array, have: Array) -> float:
    if want.shape != have.shape:
        return 0.0
    a, b = want.astype(np.float64).ravel(), have.astype(np.float64).ravel()
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norms if norms else float(np.array_equal(a, b))
