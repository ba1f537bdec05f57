"""Lay out YOLOv4."""

from __future__ import annotations

from scripts.branches import Branches, Feature

_OUTPUTS = 3 * (80 + 5)


def _mish(net: Branches, x: Feature, channels: int, kernel: int = 1, stride: int = 1) -> Feature:
    made = net.of(x, channels, kernel, stride)
    net.apply(made)
    return made


def yolov4(net: Branches) -> None:
    """arXiv:2004.10934 and its yolov4.cfg: CSPDarknet-53 with Mish, spatial pyramid pooling, a path up and one down."""
    x, found = _mish(net, Feature(3, net.side), 32, 3), []
    for place, (channels, repeats) in enumerate(((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))):
        x = _mish(net, x, channels, 3, 2)
        half = channels if place == 0 else channels // 2
        around, way = _mish(net, x, half), _mish(net, x, half)
        for _ in range(repeats):
            way = net.add(_mish(net, _mish(net, way, channels // 2), half, 3))
        x = _mish(net, net.concat(_mish(net, way, half), around), channels)
        found.append(x)
    fine, middle, x = found[2:]
    x = net.of(net.of(net.of(x, 512), 1024, 3), 512)
    x = net.concat(x, *[net.pooled(x) for _ in range(3)])
    coarse = net.of(net.of(net.of(x, 512), 1024, 3), 512)
    middle = _five(net, net.concat(net.of(middle, 256), net.upsampled(net.of(coarse, 256))), 256)
    fine = _five(net, net.concat(net.of(fine, 128), net.upsampled(net.of(middle, 128))), 128)
    _head(net, fine, 256)
    middle = _five(net, net.concat(net.of(fine, 256, 3, 2), middle), 256)
    _head(net, middle, 512)
    _head(net, _five(net, net.concat(net.of(middle, 512, 3, 2), coarse), 512), 1024)


def _five(net: Branches, x: Feature, channels: int) -> Feature:
    for _ in range(2):
        x = net.of(net.of(x, channels), 2 * channels, 3)
    return net.of(x, channels)


def _head(net: Branches, x: Feature, channels: int) -> None:
    net.of(net.of(x, channels, 3), _OUTPUTS)
