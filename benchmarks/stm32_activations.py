"""Published activations of STM32Cube.AI against what three rules make of the same networks' layers.

    python benchmarks/stm32_activations.py

``stm32_activations.csv``: int8 networks of ST's model zoo whose layers are known from papers and repositories, and one
of a public project, each figure of a network at one version once; the READMEs do not say which way of optimizing was
asked for, and those of version 10 state all RAM. Every network is a chain, so the activations are the largest span that
a step and what waits beside it need.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from scripts.measured_models import mobilenet_v1, mobilenet_v2
from scripts.net import Net

PUBLISHED = Path(__file__).with_suffix(".csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operator with what it reads and writes, in bytes of int8."""

    reads: int
    writes: int
    waits: int = 0
    """What somebody else reads later."""
    kernel: int = 1
    stride: int = 1
    """Rows of the input for one row of the result, a fused pooling's included."""
    rows: int = 0
    """Of the result; 0 where it is not computed row by row."""
    expansion: float = 1.0
    """Channels of a 1 x 1 convolution's result for each that it reads."""
    buffers: int = 0
    """What the kernel asks for while it runs."""


@dataclass
class Chain(Net):
    """Layers in running order with what waits beside each."""

    steps: list[Step] = field(default_factory=list)
    waits: int = 0

    def conv(self, channels: int, kernel: int, stride: int = 1, *, depthwise: bool = False) -> None:
        self.fused(channels, kernel, stride, depthwise=depthwise)

    def fused(
        self,
        channels: int,
        kernel: int,
        stride: int = 1,
        *,
        side: int = 0,
        pooled: int = 0,
        depthwise: bool = False,
    ) -> None:
        """A convolution to ``side`` (else as "same" has it), and a pooling to ``pooled`` of its rows as they come."""
        reads, inside, before = self.elements, self.channels, self.side
        super().conv(channels, kernel, stride, depthwise=depthwise)
        self.side = side or self.side
        row = channels * self.side
        if depthwise:
            buffers = kernel * inside * before  # rows of the input, as the result overwrites it
        elif pooled:
            buffers = 3 * row
        else:
            buffers = 4 * inside + 10 * channels if kernel == 1 else 0
        self.side = pooled or self.side
        self.steps.append(
            Step(
                reads=reads, writes=self.elements, waits=self.waits, kernel=kernel,
                stride=stride * (2 if pooled else 1), rows=self.side, buffers=buffers,
                expansion=channels / inside if kernel == 1 else 1.0,
            )
        )  # fmt: skip

    def enter(self) -> tuple[object, ...]:
        return (self.elements, len(self.steps), *super().enter())

    def leave(self, entered: tuple[object, ...]) -> None:
        size, first, *shape = entered
        if tuple(shape) != (self.channels, self.side):
            return
        assert isinstance(size, int)
        assert isinstance(first, int)
        # the block's own input is what the first of its steps reads
        self.steps[first + 1 :] = [replace(step, waits=size) for step in self.steps[first + 1 :]]
        self.steps.append(Step(reads=size, writes=0, waits=size))

    def fire(self, middle: int, each: int) -> None:
        """SqueezeNet's: 1 x 1, then 1 x 1 beside 3 x 3, joined."""
        self.conv(middle, 1)
        given = self.elements
        self.conv(each, 1)
        made = self.elements
        self.channels, self.waits = middle, made
        self.steps[-1] = Step(reads=given, writes=made)
        self.conv(each, 3)
        self.channels, self.waits = 2 * each, 0
        self.steps.append(Step(reads=2 * made, writes=2 * made))


def fd_mobilenet(net: Chain, width: float) -> None:
    """arXiv:1802.03750, table 1: 32 times smaller after six layers."""
    net.conv(int(32 * width), 3, 2)
    for channels, stride in (
        (64, 2),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 4,
        (1024, 1),
    ):
        net.conv(net.channels, 3, stride, depthwise=True)
        net.conv(int(channels * width), 1)


def squeezenet(net: Chain, *, first: tuple[int, int], poolings: tuple[int, ...]) -> None:
    """arXiv:1602.07360 (1.0), and its repository's 1.1: ``first`` convolution, fires before which is pooled."""
    channels, kernel = first
    side = (net.side - kernel) // 2 + 1
    net.fused(channels, kernel, 2, side=side, pooled=(side - 3) // 2 + 1)
    for index, (middle, each) in enumerate(((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256),
                                            (64, 256))):  # fmt: skip
        if index in poolings:
            net.side = (net.side - 3) // 2 + 1
        net.fire(middle, each)


def tiny_yolo_v2(net: Chain, _: float) -> None:
    """pjreddie's yolov2-tiny.cfg, for one class."""
    for channels in (16, 32, 64, 128, 256):
        net.fused(channels, 3, pooled=math.ceil(net.side / 2))
    for channels, kernel in ((512, 3), (1024, 3), (1024, 3), (30, 1)):
        net.conv(channels, kernel)


NETWORKS: Mapping[str, Callable[[Chain, float], None]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "fdmobilenet": fd_mobilenet,
    "squeezenet_v1.0": lambda net, _: squeezenet(net, first=(96, 7), poolings=(3, 7)),
    "squeezenet_v1.1": lambda net, _: squeezenet(net, first=(64, 3), poolings=(2, 4)),
    "tiny_yolo_v2": tiny_yolo_v2,
}


def apart(step: Step) -> int:
    return step.reads + step.writes + step.waits


def row_by_row(step: Step) -> int:
    """The result overwrites rows of the input that no later row of it reads."""
    if not step.rows:
        return apart(step)
    into, out, above = step.reads / (step.rows * step.stride), step.writes / step.rows, (step.kernel - 1) // 2
    ahead = max((row + 1) * out - max(row * step.stride - above, 0) * into for row in range(step.rows))
    return max(math.ceil(step.reads + max(ahead, 0)), step.writes) + step.waits


def by_kernel(step: Step) -> int:
    """So where a kernel can, with its buffers: none of those that more than double the channels was seen to."""
    return (apart if step.expansion > 2 else row_by_row)(step) + step.buffers


RULES = {"apart": apart, "row by row": row_by_row, "by kernel": by_kernel}


def main() -> None:
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    errors: dict[tuple[str, str], list[float]] = {}
    print(f"{'KiB':39s}{'published':>9s}" + "".join(f"{name:>19s}" for name in RULES))
    for row in rows:
        net = Chain(int(row["side"]), int(row["channels"]))
        NETWORKS[row["family"]](net, float(row["width"]))
        published, cells, version = float(row["kib"]), "", row["version"].partition(".")[0]
        for name, rule in RULES.items():
            found = max(map(rule, net.steps)) / 1024
            errors.setdefault((f"version {version}, {row['states']}", name), []).append(found / published - 1)
            cells += f"{found:11.1f} {found / published - 1:+7.1%}"
        title = f"{row['family']} {row['width']} {row['side']}x{row['channels']} {row['version']} {row['states'][:3]}"
        print(f"{title:39s}{published:9.2f}{cells}")
    for (stated, name), series in errors.items():
        off = 100 * np.abs(series)
        print(
            f"{stated}, {name}: {len(off)} figures, median {np.median(off):.1f} %, "
            f"p90 {np.quantile(off, 0.9):.0f} %, largest {max(off):.0f} %"
        )


if __name__ == "__main__":
    main()
