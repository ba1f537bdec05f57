"""The golden pair: inputs and the answers that were recorded when the bundle was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .arrays import read_npz
from .bundle import Bundle
from .sessions import Array, Session

_BLOCK = 65536


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


@dataclass(frozen=True)
class Comparison:
    """How far answers are from the golden ones, at worst."""

    output: str
    """The one with the largest error."""
    max_relative_error: float
    """``max|out - golden| / max|golden|`` over finite values; infinite where shapes or other values differ."""
    cosine: float
    allowed: float
    equal_share: float
    """Of all golden values, those answered bit for bit."""
    max_difference: float
    """``max|out - golden|``, of any output."""

    @property
    def reproduced(self) -> bool:
        return self.max_relative_error <= self.allowed

    @property
    def words(self) -> str:
        error, allowed = self.max_relative_error, self.allowed
        return f"output '{self.output}': relative error {error:.2g}, allowed {allowed:.2g}, cosine {self.cosine:.4f}"

    def facts(self) -> dict[str, object]:
        """As the protocol tells it."""
        return {
            "output": self.output,
            "max_relative_error": self.max_relative_error,
            "cosine": self.cosine,
            "allowed": self.allowed,
            "reproduced": self.reproduced,
            "equal_share": self.equal_share,
            "max_difference": self.max_difference,
        }


def compare(golden: Golden, outputs: Mapping[str, Array], allowed: float) -> Comparison:
    """Compare each golden output with the one of its name; a missing one differs by infinity."""
    found = {name: _differences(value, outputs.get(name)) for name, value in golden.outputs.items()}
    worst = max(found, key=lambda name: found[name].relative, default="")
    values = sum(value.size for value in golden.outputs.values())
    return Comparison(
        output=worst,
        max_relative_error=found[worst].relative if found else 0.0,
        cosine=min((each.cosine for each in found.values()), default=1.0),
        allowed=allowed,
        equal_share=sum(each.equal for each in found.values()) / values if values else 1.0,
        max_difference=max((each.absolute for each in found.values()), default=0.0),
    )


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


class _Differences(NamedTuple):
    relative: float
    cosine: float
    absolute: float
    equal: int
    """How many values are the same, bit for bit."""


_NOTHING_ALIKE = _Differences(float("inf"), 0.0, float("inf"), 0)


def _differences(want: Array, have: Array | None) -> _Differences:
    """Block by block: copies of whole outputs would show in the memory of small models."""
    if have is None or want.shape != have.shape:
        return _NOTHING_ALIKE
    difference = scale = product = want_squared = have_squared = 0.0
    equal = 0
    want, have = want.ravel(), have.ravel()
    for start in range(0, want.size, _BLOCK):
        pair = want[start : start + _BLOCK], have[start : start + _BLOCK]
        equal += int(np.count_nonzero((pair[0] == pair[1]) | ((pair[0] != pair[0]) & (pair[1] != pair[1]))))
        a, b = (values.astype(np.float64) for values in pair)
        finite = np.isfinite(a)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(b[finite]).all():
            return _NOTHING_ALIKE
        a, b = a[finite], b[finite]
        difference = max(difference, float(np.max(np.abs(a - b), initial=0.0)))
        scale = max(scale, float(np.max(np.abs(a), initial=0.0)))
        product += float(a @ b)
        want_squared += float(a @ a)
        have_squared += float(b @ b)
    norms = (want_squared * have_squared) ** 0.5
    cosine = product / norms if norms else float(difference == 0)
    return _Differences(difference / scale if scale else difference, cosine, difference, equal)
