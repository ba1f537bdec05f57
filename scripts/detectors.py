"""Lay out the other detectors that published measurements name: three SSDs and two RetinaFaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edgekit.simulation.layer import plain
from scripts.branches import Branches, Feature
from scripts.net import bottlenecks


def ssd_mobilenet_v1(net: Branches) -> None:
    """TensorFlow's ssd_mobilenet_v1_coco: arXiv:1704.04861 at width 1, heads of 1 x 1."""
    x = net.of(Feature(3, net.side), 32, 3, 2)
    kept = []
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2),
                             (1024, 1)):  # fmt: skip
        x = net.of(net.of(x, x.channels, 3, stride, depthwise=True), channels)
        kept.append(x)
    found = [kept[10], x]
    for inside, channels in ((256, 512), (128, 256), (128, 256), (64, 128)):
        x = net.of(net.of(x, inside), channels, 3, 2)
        found.append(x)
    _ssd_heads(net, found, anchors=(3, 6, 6, 6, 6, 6), classes=91, kernel=1)


def ssd_resnet34(net: Branches) -> None:
    """MLPerf's detector for 1200 x 1200: the third stage keeps the side of the second."""
    x = net.pooled(net.of(Feature(3, net.side), 64, 7, 2), 2)
    for channels, repeats, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 1)):
        for index in range(repeats):
            if index == 0 and channels != x.channels:
                net.of(x, channels, 1, stride)
            x = net.of(x, channels, 3, stride if index == 0 else 1)
            x = net.add(net.of(x, channels, 3))
    found = [x]
    for inside, channels, stride in (
        (256, 512, 2),
        (256, 512, 2),
        (128, 256, 2),
        (128, 256, 2),
        (128, 256, 1),
    ):
        x = net.of(net.of(x, inside), channels, 3, stride)
        found.append(x)
    _ssd_heads(net, found, anchors=(4, 6, 6, 6, 4, 4), classes=81, kernel=3, strides=(3, 3, 3, 3, 3, 3))


def ssd_resnet34_300(net: Branches) -> None:
    """The same as MLPerf trains it for 300 x 300: one stride less, and a last map without padding."""
    x = net.pooled(net.of(Feature(3, net.side), 64, 7, 2), 2)
    for channels, repeats, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 1)):
        for index in range(repeats):
            if index == 0 and channels != x.channels:
                net.of(x, channels, 1, stride)
            x = net.add(net.of(net.of(x, channels, 3, stride if index == 0 else 1), channels, 3))
    found = [x]
    for inside, channels, side in (
        (256, 512, 19),
        (256, 512, 10),
        (128, 256, 5),
        (128, 256, 3),
        (128, 256, 1),
    ):
        net.of(x, inside)
        net.channels, net.side = inside, side
        net.conv(channels, 3)
        x = Feature(channels, side)
        found.append(x)
    _ssd_heads(net, found, anchors=(4, 6, 6, 6, 4, 4), classes=81, kernel=3)


def _ssd_heads(
    net: Branches,
    found: Sequence[Feature],
    *,
    anchors: Sequence[int],
    classes: int,
    kernel: int,
    strides: Sequence[int] = (1,) * 6,
) -> None:
    boxes = 0
    for x, count, stride in zip(found, anchors, strides, strict=True):
        boxes += net.of(x, 4 * count, kernel, stride).elements // 4
        net.of(x, classes * count, kernel, stride)
    net.move(4 * boxes)
    net.move(classes * boxes)
    net.layers.append(plain("norm", reads=classes * boxes, writes=classes * boxes))


def retinaface_mobilenet(net: Branches) -> None:
    """biubug6/Pytorch_Retinaface, MobileNet v1 at a quarter of the width."""
    x = net.of(Feature(3, net.side), 8, 3, 2)
    kept = []
    for channels, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2),
                             (256, 1)):  # fmt: skip
        x = net.of(net.of(x, x.channels, 3, stride, depthwise=True), channels)
        kept.append(x)
    _retinaface(net, [kept[4], kept[10], x], 64)


def retinaface_resnet50(net: Branches) -> None:
    """The same with a ResNet-50."""
    stages = [Feature(*shape) for shape in bottlenecks(net)]
    _retinaface(net, stages[1:], 256)


def _retinaface(net: Branches, found: Sequence[Feature], channels: int) -> None:
    low, middle, high = (net.of(x, channels) for x in found)
    middle = net.of(_joined(net, middle, high), channels, 3)
    low = net.of(_joined(net, low, middle), channels, 3)
    places = 0
    for x in (low, middle, high):
        half, quarter = channels // 2, channels // 4
        first = net.of(x, half, 3)
        five = net.of(x, quarter, 3)
        second = net.of(five, quarter, 3)
        third = net.of(net.of(five, quarter, 3), quarter, 3)
        context = net.concat(first, second, third)
        for outputs in (4, 2, 10):
            net.move(net.of(context, 2 * outputs).elements)
        places += 2 * x.side**2
    for outputs in (4, 2, 10):
        net.move(places * outputs)
    net.layers.append(plain("norm", reads=2 * places, writes=2 * places))


def _joined(net: Branches, x: Feature, coarse: Feature) -> Feature:
    net.upsampled(coarse)
    return net.add(x)


def detectors() -> Iterator[tuple[str, int, Callable[[Branches], object]]]:
    """Name, side of the input, and what lays the layers on ``Branches`` of that side."""
    yield "ssd_mobilenet_v1_coco", 300, ssd_mobilenet_v1
    yield "ssd-resnet34-1200", 1200, ssd_resnet34
    yield "ssd_resnet34", 300, ssd_resnet34_300
    yield "RetinaFace_mobile320", 320, retinaface_mobilenet
    yield "RetinaFace_resnet50_320", 320, retinaface_resnet50
