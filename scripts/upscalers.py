"""Lay out the networks from image to image that published measurements name: upscalers, a denoiser, two segmenters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from scripts.branches import Branches, Feature

SCALE = 4
"""Of all upscalers here."""


def dncnn(net: Branches) -> None:
    """arXiv:1608.03981 in grey: 17 layers, BatchNorm folded, the noise subtracted."""
    image = Feature(1, net.side)
    x = image
    for _ in range(16):
        x = net.of(x, 64, 3)
    net.of(x, 1, 3)
    net.add(image)


def quicksrnet(net: Branches, width: int, layers: int, *, to_output: bool = False) -> None:
    """arXiv:2303.04336; ``to_output``: the image itself, by a 1 x 1 convolution, is added before pixels are shuffled."""
    image = Feature(3, net.side)
    x = net.of(image, width, 3)
    for _ in range(layers):
        x = net.of(x, width, 3)
    x = net.of(x, 3 * SCALE**2, 3)
    if to_output:
        net.of(image, x.channels)
        net.add(x)
    net.move(x.elements)


def srvgg(net: Branches) -> None:
    """Real-ESRGAN's SRVGGNetCompact, 32 convolutions: realesr-general-x4v3."""
    image = Feature(3, net.side)
    x = _parametric(net, net.of(image, 64, 3))
    for _ in range(32):
        x = _parametric(net, net.of(x, 64, 3))
    made = _shuffled(net, net.of(x, 3 * SCALE**2, 3), SCALE)
    net.move(made.elements)  # the image, enlarged
    net.add(made)


def rrdbnet(net: Branches) -> None:
    """arXiv:1809.00219: 23 blocks of three dense blocks of five convolutions."""
    first = x = net.of(Feature(3, net.side), 64, 3)
    for _ in range(23):
        for _ in range(3):
            x = _dense_block(net, x)
        net.apply(x)
        net.add(x)
    net.of(x, 64, 3)
    x = net.add(first)
    for _ in range(2):
        x = net.of(net.upsampled(x), 64, 3)
    net.of(net.of(x, 64, 3), 3, 3)


def _dense_block(net: Branches, x: Feature) -> Feature:
    known = [x]
    for _ in range(4):
        known.append(net.of(net.concat(*known) if len(known) > 1 else x, 32, 3))
    net.apply(net.of(net.concat(*known), 64, 3))  # times 0.2
    return net.add(x)


def srresnet(net: Branches) -> None:
    """arXiv:1609.04802: SRGAN's generator with 16 blocks."""
    first = x = _parametric(net, net.of(Feature(3, net.side), 64, 9))
    for _ in range(16):
        x = _parametric(net, net.of(x, 64, 3))
        x = net.add(net.of(x, 64, 3))
    net.of(x, 64, 3)
    x = net.add(first)
    for _ in range(2):
        x = _parametric(net, _shuffled(net, net.of(x, 256, 3), 2))
    net.of(x, 3, 9)


def _parametric(net: Branches, x: Feature) -> Feature:
    """PReLU, which no convolution computes."""
    net.apply(x)
    return x


def _shuffled(net: Branches, x: Feature, scale: int) -> Feature:
    """Channels become pixels."""
    net.move(x.elements)
    return Feature(x.channels // scale**2, x.side * scale)


U2NET = ((7, 32, 64), (6, 32, 128), (5, 64, 256), (4, 128, 512), (0, 256, 512), (0, 256, 512))
U2NET_UP = ((0, 256, 512), (4, 128, 256), (5, 64, 128), (6, 32, 64), (7, 16, 64))
"""Height of a residual U-block (0: four levels, dilated), width inside, channels it makes."""


def u2net(net: Branches) -> None:
    """arXiv:2005.09007, table 1."""
    side, x, kept = net.side, Feature(3, net.side), []
    for stage, (height, inside, channels) in enumerate(U2NET):
        x = _u_block(net, net.pooled(x, 2) if stage else x, height, inside, channels)
        kept.append(x)
    found = [x]
    for (height, inside, channels), beside in zip(U2NET_UP, reversed(kept[:-1]), strict=True):
        x = net.concat(_enlarged(net, x, beside.side), beside)
        x = _u_block(net, x, height, inside, channels)
        found.append(x)
    masks = [_enlarged(net, net.of(x, 1, 3), side) for x in reversed(found)]
    masks.append(net.of(net.concat(*masks), 1))
    for mask in masks:
        net.apply(mask)


def _u_block(net: Branches, x: Feature, height: int, inside: int, channels: int) -> Feature:
    entered = net.of(x, channels, 3)
    x, kept, levels = entered, [], (height or 4) - 1
    for level in range(levels):
        apart = 1 if height else 2**level
        x = net.of(net.pooled(x, 2) if height and level else x, inside, 3, dilation=apart)
        kept.append(x)
    x = net.of(x, inside, 3, dilation=2 if height else 2**levels)
    for level, beside in enumerate(reversed(kept), start=1):
        both = net.concat(_enlarged(net, x, beside.side), beside)
        apart = 1 if height else 2 ** (levels - level)
        x = net.of(both, channels if level == levels else inside, 3, dilation=apart)
    return net.add(entered)


def _enlarged(net: Branches, x: Feature, side: int) -> Feature:
    made = Feature(x.channels, side)
    if side != x.side:
        net.move(made.elements)
    return made


def deeplab_v3_plus(net: Branches) -> None:
    """arXiv:1802.02611 on MobileNet v2 (arXiv:1801.04381), sides halved four times, 21 classes."""
    side, x, low = net.side, net.of(Feature(3, net.side), 32, 3, 2), Feature(0, 0)
    for expand, channels, repeats, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                              (6, 160, 3, 1), (6, 320, 1, 1)):  # fmt: skip
        for index in range(repeats):
            apart = 2 if channels == 320 or (channels == 160 and index) else 1
            x = _inverted(net, x, expand, channels, stride if index == 0 else 1, apart)
        low = x if channels == 24 else low
    parts = [net.of(x, 256), *(net.of(x, 256, 3, dilation=apart) for apart in (6, 12, 18))]
    net.pooled(x, x.side)
    net.of(Feature(x.channels, 1), 256)
    net.move(parts[0].elements)  # one place for all
    x = net.of(net.concat(*parts, parts[0]), 256)
    x = net.concat(_enlarged(net, x, low.side), net.of(low, 48))
    x = net.of(net.of(net.of(x, 256, 3), 256, 3), 21)
    _enlarged(net, x, side)


def _inverted(net: Branches, x: Feature, expand: int, channels: int, stride: int, dilation: int) -> Feature:
    wide = net.of(x, expand * x.channels) if expand > 1 else x
    made = net.of(net.of(wide, wide.channels, 3, stride, depthwise=True, dilation=dilation), channels)
    return net.add(made) if made == x else made


def image_to_image() -> Iterator[tuple[str, int, Callable[[Branches], object]]]:
    """Name, side of the input, and what lays the layers on ``Branches`` of that side."""
    yield "qai/dncnn", 256, dncnn
    yield "qai/quicksrnetsmall", 128, partial(quicksrnet, width=32, layers=2)
    yield "qai/quicksrnetmedium", 128, partial(quicksrnet, width=32, layers=5)
    yield "qai/quicksrnetlarge", 128, partial(quicksrnet, width=64, layers=11, to_output=True)
    yield "qai/real_esrgan_general_x4v3", 128, srvgg
    yield "qai/real_esrgan_x4plus", 128, rrdbnet
    yield "qai/srgan", 128, srresnet
    yield "qai/u2net_segmentation", 320, u2net
    yield "qai/deeplabv3_plus_mobilenet", 513, deeplab_v3_plus
