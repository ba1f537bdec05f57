"""The golden pair: one raw sample, the tensors the contract makes of it, and what the artifact answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.data.arrays import read_arrays, write_arrays
from edgekit.errors import BundleError, DataError
from edgekit.vocabulary import Precision

if TYPE_CHECKING:
    from edgekit.contracts.types import Tensor

TENSORS = "golden.npz"
TOLERANCE: dict[Precision, float] = {
    "fp32": 1e-3, "fp16": 1e-3, "int8-weights": 0.05, "int16x8": 0.01, "int8": 0.05, "int8-dynamic": 0.05,
    "int4-weights": 0.05,
}  # fmt: skip
"""``max|out - golden| / max|golden|`` on the same kind of machine.

Not 0: thread count and CPU features change the order of float sums. int8: a sum that falls on the other side of
a rounding step moves one activation by 1/255 of its range, and later layers carry that on.
int16x8 has steps of 1/65534. Products with packed weights may round their activations as well.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenTensors:
    """Inputs and outputs in the source model's names and layouts."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


def write_tensors(golden: GoldenTensors, path: Path) -> None:
    """Write ``in:<name>`` and ``out:<name>`` arrays; the same bytes from the same arrays."""
    inputs = {f"in:{name}": golden.inputs[name] for name in sorted(golden.inputs)}
    outputs = {f"out:{name}": golden.outputs[name] for name in sorted(golden.outputs)}
    write_arrays(path, inputs | outputs)


def read_tensors(path: Path) -> GoldenTensors:
    """Read what ``write_tensors`` wrote; BundleError where it is damaged."""
    try:
        arrays = read_arrays(path)
    except DataError as error:
        raise BundleError(str(error)) from None
    return GoldenTensors(
        inputs={name[3:]: array for name, array in arrays.items() if name.startswith("in:")},
        outputs={name[4:]: array for name, array in arrays.items() if name.startswith("out:")},
    )


def relative_error(found: Tensor, expected: Tensor) -> float:
    """``max|found - expected| / max|expected|`` over finite values; infinite where shapes or other values differ."""
    if found.shape != expected.shape:
        return float("inf")
    a, b = found.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(a[finite]).all():
        return float("inf")
    difference = float(np.max(np.abs(a[finite] - b[finite]), initial=0.0))
    scale = float(np.max(np.abs(b[finite]), initial=0.0))
    return difference / scale if scale else difference


def largest_error(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """The largest relative error over all tensors of ``expected``; a missing one counts as infinite."""
    errors = [
        relative_error(found[name], array) if name in found else float("inf")
        for name, array in expected.items()
    ]
    return max(errors, default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How far answers of another processor are those of the build host, over all outputs."""

    values: int
    equal: int
    """Bit for bit."""
    max_difference: float
    """In the outputs' own units."""

    @property
    def share(self) -> float:
        """Of the values, those that are equal, 0 to 1."""
        return self.equal / self.values if self.values else 1.0

    @property
    def words(self) -> str:
        return likeness_words(self.share, self.max_difference)


def likeness(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Likeness:
    """Compare tensors of the same names and shapes, value by value; NaN is equal to NaN."""
    equal, difference = 0, 0.0
    for name, array in expected.items():
        same = (found[name] == array) | ((found[name] != found[name]) & (array != array))
        equal += int(np.count_nonzero(same))
        a, b = found[name][~same].astype(np.float64), array[~same].astype(np.float64)
        difference = max(difference, float(np.max(np.abs(a - b), initial=0.0)))
    values = sum(array.size for array in expected.values())
    return Likeness(values=values, equal=equal, max_difference=difference)


def likeness_words(share: float, max_difference: float) -> str:
    """One clause for people."""
    if share == 1:
        return "the golden values are bit for bit the build host's"
    return f"{share:.1%} of the golden values bit for bit the build host's, largest difference {max_difference:.2g}"
