"""Lay out the networks of PaddleClas that were timed at several widths; its model list states MACs and parameters of each.

    python -m scripts.paddleclas tests/simulation/data/aside/models.csv

Architectures as its ``ppcls/arch/backbone`` has them (0e9b347c, Apache-2.0): not rounded as TensorFlow's, 1,000 classes,
and an expansion in blocks that expand by 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from edgekit.simulation.layer import Layer
from scripts.branches import Branches, Feature
from scripts.measured_models import LARGE, SMALL, by_eight, write_models

_CLASSES = 1000
_SIDE = 224
_LAST = 1280
_GHOSTS = (
    (3, 16, 16, 0, 1), (3, 48, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 1, 2), (5, 120, 40, 1, 1),
    (3, 240, 80, 0, 2), (3, 200, 80, 0, 1), (3, 184, 80, 0, 1), (3, 184, 80, 0, 1), (3, 480, 112, 1, 1),
    (3, 672, 112, 1, 1), (5, 672, 160, 1, 2), (5, 960, 160, 0, 1), (5, 960, 160, 1, 1), (5, 960, 160, 0, 1),
    (5, 960, 160, 1, 1),
)  # fmt: skip
"""arXiv:1911.11907, table 1: kernel, expansion, channels, squeeze-excite, stride."""


def _classified(net: Branches, x: Feature, between: int = 0) -> None:
    """Averaged, through ``between`` more channels where there are any, to classes."""
    net.channels, net.side = x
    net.pool(1)
    if between:
        net.conv(between, 1)
        net.elementwise()
    net.dense(_CLASSES)


def mobilenet_v1(net: Branches, width: float) -> None:
    x = net.of(Feature(3, net.side), int(32 * width), 3, 2)
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2),
                             (1024, 1)):  # fmt: skip
        x = net.of(net.of(x, x.channels, 3, stride, depthwise=True), int(channels * width))
    _classified(net, x)


def mobilenet_v2(net: Branches, width: float) -> None:
    x = net.of(Feature(3, net.side), int(32 * width), 3, 2)
    for expand, channels, repeats, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                              (6, 160, 3, 2), (6, 320, 1, 1)):  # fmt: skip
        for index in range(repeats):
            inside = net.of(x, x.channels * expand)
            inside = net.of(inside, inside.channels, 3, 1 if index else stride, depthwise=True)
            x = net.of(inside, int(channels * width))
            if index:
                net.add(x)
    _classified(net, net.of(x, int(_LAST * max(width, 1))))


def mobilenet_v3(net: Branches, width: float, *, large: bool) -> None:
    def activated(
        x: Feature,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        swish: int = 1,
        depthwise: bool = False,
    ) -> Feature:
        made = net.of(x, channels, kernel, stride, depthwise=depthwise)
        if swish:
            net.apply(made)
        return made

    x = activated(Feature(3, net.side), by_eight(16 * width), 3, 2)
    for kernel, expanded, channels, excite, swish, stride in LARGE if large else SMALL:
        inside = activated(x, by_eight(expanded * width), swish=swish)
        inside = activated(inside, inside.channels, kernel, stride, swish=swish, depthwise=True)
        if excite:
            _excited(net, inside)
        made = net.of(inside, by_eight(channels * width))
        x = net.add(made) if made == x else made
    _classified(net, activated(x, by_eight((960 if large else 576) * width)), _LAST)


def ghostnet(net: Branches, width: float) -> None:
    def ghost(x: Feature, channels: int) -> Feature:
        """Half of the channels are computed, the others made of those."""
        half = net.of(x, -(-channels // 2))
        return net.concat(half, net.of(half, half.channels, 3, depthwise=True))

    def by_four(channels: float) -> int:
        near = max(4, int(channels + 2) // 4 * 4)
        return near + 4 if near < 0.9 * channels else near

    x = net.of(Feature(3, net.side), by_four(16 * width), 3, 2)
    for kernel, expanded, channels, excite, stride in _GHOSTS:
        inside = ghost(x, by_four(expanded * width))
        if stride == 2:
            inside = net.of(inside, inside.channels, kernel, 2, depthwise=True)
        if excite:
            _excited(net, inside)
        made = ghost(inside, by_four(channels * width))
        if made != x:
            net.of(net.of(x, x.channels, kernel, stride, depthwise=True), made.channels)
        x = net.add(made)
    net.channels, net.side = net.of(x, by_four(960 * width))
    net.pool(1)
    net.conv(_LAST, 1)
    net.dense(_CLASSES)


def esnet(net: Branches, width: float) -> None:
    """PP-PicoDet's backbone (arXiv:2111.00902): ShuffleNet v2 with squeeze-excite and hard swish."""

    def activated(x: Feature, channels: int, kernel: int = 1, *, depthwise: bool = False) -> Feature:
        made = net.of(x, channels, kernel, depthwise=depthwise)
        net.apply(made)
        return made

    def shrunk(x: Feature, channels: int) -> Feature:
        half = channels // 2
        first = activated(net.of(x, x.channels, 3, 2, depthwise=True), half)
        second = net.of(activated(x, half), half, 3, 2, depthwise=True)
        _excited(net, second)
        made = net.concat(first, activated(second, half))
        return activated(activated(made, channels, 3, depthwise=True), channels)

    def kept(x: Feature) -> Feature:
        half = x.channels // 2
        net.move(x.elements)
        inside = activated(Feature(half, x.side), half)
        joined = net.concat(inside, net.of(inside, half, 3, depthwise=True))
        _excited(net, joined)
        activated(joined, half)
        net.move(x.elements)  # put together with the half that went past
        net.move(x.elements)  # and shuffled
        return x

    stem = net.of(Feature(3, net.side), 24, 3, 2)
    net.apply(stem)
    x = net.pooled(stem, 2)
    for channels, repeats in ((116, 3), (232, 7), (464, 3)):
        x = shrunk(x, by_eight(channels * width))
        for _ in range(repeats - 1):
            x = kept(x)
    _classified(net, activated(x, 1024), _LAST)


def vgg19(net: Branches) -> None:
    """arXiv:1409.1556, table 1, E."""
    x = Feature(3, net.side)
    for channels, repeats in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(repeats):
            x = net.of(x, channels, 3)
        x = net.pooled(x, 2)
    net.channels, net.side = x
    for columns in (4096, 4096, _CLASSES):
        net.dense(columns)


def _excited(net: Branches, x: Feature) -> None:
    net.channels, net.side = x
    net.squeeze_excite(x.channels // 4)


_WIDTHS: Sequence[tuple[str, Callable[..., None], Sequence[str]]] = (
    ("MobileNetV1", mobilenet_v1, ("0_25", "0_5", "0_75", "1_0")),
    ("MobileNetV2", mobilenet_v2, ("0_25", "0_5", "0_75", "1_0", "1_5", "2_0")),
    ("MobileNetV3_large", partial(mobilenet_v3, large=True), ("0_35", "0_5", "0_75", "1_0", "1_25")),
    ("MobileNetV3_small", partial(mobilenet_v3, large=False), ("0_35", "0_5", "0_75", "1_0", "1_25")),
    ("GhostNet", ghostnet, ("0_5", "1_0", "1_3")),
    ("ESNet", esnet, ("0_25", "0_5", "0_75", "1_0")),
)


def paddleclas() -> Iterator[tuple[str, list[Layer]]]:
    """Name and layers of each."""
    for name, lay, widths in _WIDTHS:
        for width in widths:
            net = Branches(_SIDE)
            lay(net, float(width.replace("_", ".")))
            yield f"paddle/{name}_x{width}", net.layers
    net = Branches(_SIDE)
    vgg19(net)
    yield "paddle/VGG19", net.layers


if __name__ == "__main__":
    write_models(Path(sys.argv[1]), dict(paddleclas()))
