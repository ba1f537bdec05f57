"""Lay out the detectors that were timed on Ascend NPUs: YOLOv3, YOLOv4 and two SSDs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edgekit.simulation.layer import plain
from scripts.branches import Branches, Feature
from scripts.net import bottlenecks

_OUTPUTS = 3 * (80 + 5)


def darknet53(net: Branches) -> list[Feature]:
    """arXiv:1804.02767, table 1: the last three maps."""
    x, found = net.of(Feature(3, net.side), 32, 3), []
    for channels, repeats in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        x = net.of(x, channels, 3, 2)
        for _ in range(repeats):
            x = net.add(net.of(net.of(x, channels // 2), channels, 3))
        found.append(x)
    return found[2:]


def mobilenet_v1(net: Branches) -> list[Feature]:
    """arXiv:1704.04861 at width 1: the maps of 256, 512 and 1,024 channels."""
    x, found = net.of(Feature(3, net.side), 32, 3, 2), []
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2),
                             (1024, 1)):  # fmt: skip
        x = net.of(net.of(x, x.channels, 3, stride, depthwise=True), channels)
        found.append(x)
    return [found[4], found[10], found[12]]


def yolov3(net: Branches, body: Callable[[Branches], list[Feature]]) -> None:
    """The same paper's pyramid and heads; what decodes boxes is not in it."""
    fine, middle, coarse = body(net)
    way = None
    for level, channels in ((coarse, 512), (middle, 256), (fine, 128)):
        x = level if way is None else net.concat(net.upsampled(net.of(way, channels)), level)
        for _ in range(2):
            x = net.of(net.of(x, channels), 2 * channels, 3)
        way = net.of(x, channels)
        net.of(net.of(way, 2 * channels, 3), _OUTPUTS)


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


def ssd_vgg16(net: Branches) -> None:
    """arXiv:1512.02325 for 300 x 300 and VOC's 21 classes."""
    x = Feature(3, net.side)
    found = []
    for widths in ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)):
        for width in widths:
            x = net.of(x, width, 3)
        found.append(x)
        x = net.pooled(x, 2 if len(found) < 5 else 1)
    net.layers += [plain("norm", reads=found[3].elements, writes=found[3].elements)]
    x = net.of(net.of(x, 1024, 3), 1024)  # the first is dilated by 6
    kept = [found[3], x]
    for middle, channels, stride in ((256, 512, 2), (128, 256, 2)):
        x = net.of(net.of(x, middle), channels, 3, stride)
        kept.append(x)
    for side in (3, 1):  # without padding
        x = net.of(x, 128)
        x = Feature(256, side)
        net.channels, net.side = Feature(128, side)
        net.conv(256, 3)
        kept.append(x)
    _heads(net, kept, (4, 6, 6, 6, 4, 4), 21)


def ssd_resnet34(net: Branches) -> None:
    """MLPerf Training's detector for 300 x 300: the third stage keeps the side of the second, 81 classes."""
    x = net.pooled(net.of(Feature(3, net.side), 64, 7, 2), 2)
    for channels, repeats, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 1)):
        for index in range(repeats):
            if index == 0 and channels != x.channels:
                net.of(x, channels, 1, stride)
            x = net.add(net.of(net.of(x, channels, 3, stride if index == 0 else 1), channels, 3))
    kept = [x]
    for middle, channels, side in (
        (256, 512, 19),
        (256, 512, 10),
        (128, 256, 5),
        (128, 256, 3),
        (128, 256, 1),
    ):
        x = net.of(x, middle)
        net.channels, net.side = Feature(middle, side)
        net.conv(channels, 3)
        x = Feature(channels, side)
        kept.append(x)
    _heads(net, kept, (4, 6, 6, 6, 4, 4), 81)


def _heads(net: Branches, found: Sequence[Feature], anchors: Sequence[int], classes: int) -> None:
    boxes = 0
    for x, count in zip(found, anchors, strict=True):
        boxes += net.of(x, 4 * count, 3).elements // 4
        net.of(x, classes * count, 3)
    net.move(4 * boxes)
    net.move(classes * boxes)
    net.layers.append(plain("norm", reads=classes * boxes, writes=classes * boxes))


def tsn(net: Branches) -> None:
    """arXiv:1608.00859 on a ResNet-50: 25 times three frames, 101 classes."""
    bottlenecks(net)
    net.pool(1)
    net.dense(101)


def darknets() -> Iterator[tuple[str, int, Callable[[Branches], object]]]:
    """Name, side of the input, and what lays the layers on ``Branches`` of that side."""
    yield "yolov3_darknet53", 608, lambda net: yolov3(net, darknet53)
    yield "yolov3_mobilenet_v1", 608, lambda net: yolov3(net, mobilenet_v1)
    yield "yolov4", 608, yolov4
    yield "ssd_vgg16", 300, ssd_vgg16
    yield "ssd_resnet34", 300, ssd_resnet34
