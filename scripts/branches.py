"""Networks with branches: layers that take whichever feature they are given.

Activations are no layers, as whatever makes their input computes them, but for x * sigmoid(x). BatchNorm is folded.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from edgekit.simulation.layer import Layer, plain, product
from scripts.net import Net


class Feature(NamedTuple):
    """A square map."""

    channels: int
    side: int

    @property
    def elements(self) -> int:
        return self.channels * self.side**2


class Branches(Net):
    """A network whose layers take whichever feature they are given."""

    swish = False
    """Whether x * sigmoid(x) follows convolutions, but for bare ones."""

    def of(
        self,
        x: Feature,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        bare: bool = False,
        dilation: int = 1,
    ) -> Feature:
        """A convolution of ``x``, ``bare``: without its activation."""
        self.channels, self.side = x
        self.conv(channels, kernel, stride, depthwise=depthwise)
        self.layers[-1] = replace(self.layers[-1], dilation=dilation)
        made = Feature(self.channels, self.side)
        return self.add(made) if self.swish and not bare else made

    def add(self, x: Feature) -> Feature:
        """Arithmetic of two features of one shape."""
        self.layers.append(plain("elementwise", reads=2 * x.elements, writes=x.elements))
        return x

    def concat(self, *parts: Feature) -> Feature:
        made = Feature(sum(part.channels for part in parts), parts[0].side)
        self.move(made.elements)
        return made

    def move(self, elements: int) -> None:
        """Split, gather, transpose: elements are copied."""
        self.layers.append(plain("move", reads=elements, writes=elements))

    def pooled(self, x: Feature, stride: int = 1) -> Feature:
        made = Feature(x.channels, math.ceil(x.side / stride))
        self.layers.append(plain("pool", reads=x.elements, writes=made.elements))
        return made

    def upsampled(self, x: Feature) -> Feature:
        made = Feature(x.channels, 2 * x.side)
        self.layers.append(plain("move", reads=x.elements, writes=made.elements))
        return made

    def transposed(self, x: Feature) -> Feature:
        """A transposed convolution of 2 x 2 at stride 2."""
        made, weights = Feature(x.channels, 2 * x.side), 4 * x.channels**2
        self.layers.append(
            Layer(
                kind="conv", macs=weights * x.side**2, weights=weights, reads=x.elements, writes=made.elements,
                in_channels=x.channels, out_channels=x.channels, kernel=4, stride=1,
            )
        )  # fmt: skip
        return made

    def linear(self, rows: int, depth: int, columns: int) -> None:
        """Rows times a matrix of weights."""
        self.layers.append(
            product(
                macs=rows * depth * columns,
                reads=rows * depth,
                writes=rows * columns,
                columns=columns,
                is_constant=True,
            )
        )

    def attend(self, *, heads: int, rows: int, key: int, value: int) -> None:
        """Every row to every other, in ``heads`` with keys and values of these widths."""
        scores = heads * rows**2
        matmul = partial(product, is_constant=False)
        self.move(heads * rows * key)
        self.layers += [
            matmul(macs=scores * key, reads=2 * heads * rows * key, writes=scores, columns=rows),
            plain("elementwise", reads=scores, writes=scores),
            plain("norm", reads=scores, writes=scores),
            matmul(
                macs=scores * value,
                reads=scores + heads * rows * value,
                writes=heads * rows * value,
                columns=value,
            ),
        ]
        self.move(heads * rows * value)

    def apply(self, x: Feature) -> None:
        """Arithmetic of one feature, such as a sigmoid that nothing multiplies."""
        self.layers.append(plain("elementwise", reads=x.elements, writes=x.elements))

    def sum_up(self, x: Feature) -> None:
        """Rockchip's graphs sum up the scores of each place, to skip where there is nothing."""
        self.layers.append(plain("pool", reads=x.elements, writes=x.side**2))
