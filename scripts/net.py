"""What models are laid out with: a network that grows layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edgekit.simulation.layer import Layer


@dataclass
class Net:
    """A network that grows layer by layer."""

    side: int
    channels: int = 3
    layers: list[Layer] = field(default_factory=list)

    def conv(self, channels: int, kernel: int, stride: int = 1, *, depthwise: bool = False) -> None:
        reads, inside = self.elements, self.channels
        self.side = math.ceil(self.side / stride)
        self.channels = channels
        weights = kernel**2 * channels * (1 if depthwise else inside)
        self.layers.append(
            Layer(
                kind="depthwise" if depthwise else "pointwise" if kernel == 1 else "conv",
                macs=weights * self.side**2, weights=weights, reads=reads, writes=self.elements,
                in_channels=inside, out_channels=channels, kernel=kernel**2, stride=stride,
            )
        )  # fmt: skip

    @property
    def elements(self) -> int:
        return self.channels * self.side**2

    def enter(self) -> tuple[object, ...]:
        """Begin a block; its shape goes to ``leave``."""
        return self.channels, self.side

    def leave(self, entered: tuple[object, ...]) -> None:
        """End the block: what went in is added to what comes out, where both have one shape."""
        if entered == (self.channels, self.side):
            self.elementwise(2)

    def elementwise(self, inputs: int = 1) -> None:
        self.layers.append(Layer(kind="elementwise", reads=inputs * self.elements, writes=self.elements))

    def pool(self, side: int) -> None:
        reads, self.side = self.elements, side
        self.layers.append(Layer(kind="pool", reads=reads, writes=self.elements))

    def dense(self, columns: int) -> None:
        depth, self.side, self.channels = self.elements, 1, columns
        self.layers.append(
            Layer(
                kind="dense", macs=depth * columns, weights=depth * columns, reads=depth, writes=columns,
                in_channels=depth, out_channels=columns, kernel=1, stride=1,
            )
        )  # fmt: skip

    def squeeze_excite(self, middle: int) -> None:
        side, channels = self.side, self.channels
        self.pool(1)
        self.conv(middle, 1)
        self.conv(channels, 1)
        self.elementwise()
        self.side = side
        self.layers.append(Layer(kind="elementwise", reads=self.elements + channels, writes=self.elements))

    def softmax(self) -> None:
        self.layers.append(Layer(kind="norm", reads=self.channels, writes=self.channels))


def bottlenecks(net: Net) -> list[tuple[int, int]]:
    """A ResNet-50 up to its last stage: arXiv:1512.03385, with the stride in the 3 x 3 ("v1.5"), as MLPerf's has it.

    Channels and side after each stage.
    """
    net.conv(64, 7, 2)
    net.pool(math.ceil(net.side / 2))
    found = []
    for stage, (repeats, channels) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for index in range(repeats):
            stride = 2 if index == 0 and stage else 1
            if index == 0:  # the shortcut begins where the block does
                side, inside = net.side, net.channels
                net.conv(4 * channels, 1, stride)
                net.side, net.channels = side, inside
            net.conv(channels, 1)
            net.conv(channels, 3, stride)
            net.conv(4 * channels, 1)
            net.elementwise(2)
        found.append((net.channels, net.side))
    return found
