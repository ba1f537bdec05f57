"""One step of a graph as a runtime would run it: what there is to compute and to move."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

LayerKind = Literal[
    "conv", "pointwise", "depthwise", "grouped", "dense", "linear", "matmul", "elementwise", "norm", "pool", "move",
]  # fmt: skip
"""``dense``: one row times a matrix; ``linear``: many rows; ``matmul``: two activations."""
KINDS: tuple[LayerKind, ...] = get_args(LayerKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Elements, not bytes: what one element takes is the precision's affair."""

    kind: LayerKind
    name: str = field(default="", compare=False)
    """Of the operator in the source; empty for the models of published measurements."""
    op: str = field(default="", compare=False)
    macs: int = 0
    weights: int = 0
    reads: int = 0
    """Elements of activations it reads."""
    writes: int = 0
    in_channels: int = 0
    out_channels: int = 0
    kernel: int = 0
    """Positions of the window, e.g. 9 for 3 x 3."""
    stride: int = 0
    dilation: int = 1
    """How far apart a window's positions lie: above 1 a convolution is dilated."""

    @property
    def is_dilated(self) -> bool:
        return self.dilation > 1

    @property
    def moved(self) -> int:
        """Elements it reads and writes, weights included."""
        return self.reads + self.writes + self.weights

    def named(self, name: str, op: str) -> Layer:
        """The same as the source calls it."""
        return replace(self, name=name, op=op)


def product(*, macs: int, reads: int, writes: int, columns: int, is_constant: bool) -> Layer:
    """Rows times a matrix of ``columns``, which is weights where ``is_constant``."""
    depth = macs // max(writes, 1)
    kind: LayerKind = "matmul" if not is_constant else "dense" if writes == columns else "linear"
    return Layer(
        kind=kind,
        macs=macs,
        weights=depth * columns if is_constant else 0,
        reads=reads,
        writes=writes,
        in_channels=depth,
        out_channels=columns,
        kernel=1,
        stride=1,
    )


def plain(kind: LayerKind, *, reads: int, writes: int) -> Layer:
    """What has neither weights nor products."""
    if kind == "move":
        reads = min(reads, writes) or reads  # a slice or a look-up reads what it keeps
    return Layer(kind=kind, reads=reads, writes=writes)


def convolution_kind(in_channels: int, groups: int, kernel: int) -> LayerKind:
    """What class of kernels runs a convolution."""
    if groups > 1:
        return "depthwise" if groups == in_channels else "grouped"
    return "pointwise" if kernel == 1 else "conv"


def stride_of(input_side: int, output_side: int) -> int:
    """From the sides, as files of three formats state strides and padding in three ways."""
    return max(round(input_side / max(output_side, 1)), 1)
