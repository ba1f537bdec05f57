"""Lay out the YOLOs that published measurements name, as their papers and repositories have them.

Branches of training are merged (RepVGG), and graphs end where the measured ones do: those for Rockchip's NPUs before
boxes are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from edgekit.simulation.layer import plain
from scripts.branches import Branches, Feature

COCO = 80


def yolov3_tiny(net: Branches) -> None:
    """arXiv:1804.02767 and its yolov3-tiny.cfg."""
    x = Feature(3, net.side)
    for channels in (16, 32, 64, 128):
        x = net.pooled(net.of(x, channels, 3), 2)
    route = net.of(x, 256, 3)
    x = net.pooled(net.of(net.pooled(route, 2), 512, 3))
    x = net.of(net.of(x, 1024, 3), 256)
    net.of(net.of(x, 512, 3), 3 * (COCO + 5))
    x = net.concat(net.upsampled(net.of(x, 128)), route)
    net.of(net.of(x, 256, 3), 3 * (COCO + 5))


def yolov6(net: Branches, width: float) -> None:
    """arXiv:2301.05586, n and s: RepVGG blocks, bidirectional fusion, boxes without distribution."""
    c = [int(base * width) for base in (64, 128, 256, 512, 1024, 256, 128, 128, 256, 256, 512)]
    x = net.of(Feature(3, net.side), c[0], 3, 2)
    kept = []
    for channels, repeats in zip(c[1:5], (2, 4, 6, 2), strict=True):
        x = net.of(x, channels, 3, 2)
        for _ in range(repeats):
            x = net.of(x, channels, 3)
        kept.append(x)
    kept[-1] = _csp_sppf(net, x)
    _yolov6_neck(net, kept, c, partial(_repeated, repeats=4), outputs=4)


def yolov6_m(net: Branches) -> None:
    """The same, m: blocks with a bypass, boxes as distributions."""
    c = [int(base * 0.75) for base in (64, 128, 256, 512, 1024, 256, 128, 128, 256, 256, 512)]
    x = net.of(Feature(3, net.side), c[0], 3, 2)
    kept = []
    for channels, repeats in zip(c[1:5], (2, 3, 5, 2), strict=True):
        x = _bep_c3(net, net.of(x, channels, 3, 2), channels, repeats)
        kept.append(x)
    kept[-1] = _sppf(net, x)
    _yolov6_neck(net, kept, c, partial(_bep_c3, repeats=3), outputs=4 * 17)


Block = Callable[[Branches, Feature, int], Feature]


def _yolov6_neck(
    net: Branches, kept: Sequence[Feature], c: Sequence[int], block: Block, outputs: int
) -> None:
    p2, p3, p4, p5 = kept
    top = net.of(p5, c[5])
    middle = block(net, _bi_fusion(net, top, p4, p3, c[5]), c[5])
    middle = net.of(middle, c[6])
    low = block(net, _bi_fusion(net, middle, p3, p2, c[6]), c[6])
    centre = block(net, net.concat(net.of(low, c[7], 3, 2), middle), c[8])
    high = block(net, net.concat(net.of(centre, c[9], 3, 2), top), c[10])
    net.swish = True  # in the heads only
    for x in (low, centre, high):
        stem = net.of(x, x.channels)
        _scores(net, net.of(net.of(stem, x.channels, 3), COCO, bare=True))
        net.of(net.of(stem, x.channels, 3), outputs, bare=True)


def _bi_fusion(net: Branches, coarse: Feature, same: Feature, fine: Feature, channels: int) -> Feature:
    parts = (
        net.transposed(coarse),
        net.of(same, channels),
        net.of(net.of(fine, channels), channels, 3, 2),
    )
    return net.of(net.concat(*parts), channels)


def _repeated(net: Branches, x: Feature, channels: int, *, repeats: int) -> Feature:
    for _ in range(repeats):
        x = net.of(x, channels, 3)
    return x


def _bep_c3(net: Branches, x: Feature, channels: int, repeats: int) -> Feature:
    inside = int(channels * 2 / 3)
    way = net.of(x, inside)
    for _ in range(repeats):
        way = net.add(net.of(net.of(way, inside, 3), inside, 3))
    return net.of(net.concat(way, net.of(x, inside)), channels)


def _csp_sppf(net: Branches, x: Feature) -> Feature:
    half = x.channels // 2
    way = net.of(net.of(net.of(x, half), half, 3), half)
    beside = net.of(x, half)
    way = net.of(net.of(_pyramid(net, way), half), half, 3)
    return net.of(net.concat(beside, way), x.channels)


def _sppf(net: Branches, x: Feature) -> Feature:
    return net.of(_pyramid(net, net.of(x, x.channels // 2)), x.channels)


def _pyramid(net: Branches, x: Feature) -> Feature:
    """Windows of 5, 9 and 13 are one, two and three of 5."""
    return net.concat(x, net.pooled(x), net.pooled(x), net.pooled(x))


def yolov7(net: Branches) -> None:
    """arXiv:2207.02696, cfg/deploy/yolov7.yaml."""
    net.swish = True
    x = net.of(net.of(net.of(Feature(3, net.side), 32, 3), 64, 3, 2), 64, 3)
    x = _elan(net, net.of(x, 128, 3, 2), 64, 64, 256, taken=(0, 1, 3, 5))
    p3 = _elan(net, _halved(net, x, 128), 128, 128, 512, taken=(0, 1, 3, 5))
    p4 = _elan(net, _halved(net, p3, 256), 256, 256, 1024, taken=(0, 1, 3, 5))
    x = _elan(net, _halved(net, p4, 512), 256, 256, 1024, taken=(0, 1, 3, 5))
    way = net.of(net.of(net.of(x, 512), 512, 3), 512)
    way = net.of(net.of(_pyramid(net, way), 512), 512, 3)
    top = net.of(net.concat(way, net.of(x, 512)), 512)
    every = (0, 1, 2, 3, 4, 5)
    x = net.concat(net.of(p4, 256), net.upsampled(net.of(top, 256)))
    middle = _elan(net, x, 256, 128, 256, taken=every)
    x = net.concat(net.of(p3, 128), net.upsampled(net.of(middle, 128)))
    low = _elan(net, x, 128, 64, 128, taken=every)
    centre = _elan(net, net.concat(_halved(net, low, 128), middle), 256, 128, 256, taken=every)
    high = _elan(net, net.concat(_halved(net, centre, 256), top), 512, 256, 512, taken=every)
    for x in (low, centre, high):
        net.apply(net.of(net.of(x, 2 * x.channels, 3), 3 * (COCO + 5), bare=True))


def yolov7_tiny(net: Branches, *, best: bool = False) -> None:
    """The same, cfg/deploy/yolov7-tiny.yaml; ``best``: to corners of boxes and the best class of each."""
    every = (0, 1, 2, 3)
    block = partial(_elan, net, convolutions=2, taken=every)
    x = block(net.of(net.of(Feature(3, net.side), 32, 3, 2), 64, 3, 2), 32, 32, 64)
    p3 = block(net.pooled(x, 2), 64, 64, 128)
    p4 = block(net.pooled(p3, 2), 128, 128, 256)
    x = block(net.pooled(p4, 2), 256, 256, 512)
    way = net.of(_pyramid(net, net.of(x, 256)), 256)
    top = net.of(net.concat(way, net.of(x, 256)), 256)
    middle = block(net.concat(net.of(p4, 128), net.upsampled(net.of(top, 128))), 64, 64, 128)
    low = block(net.concat(net.of(p3, 64), net.upsampled(net.of(middle, 64))), 32, 32, 64)
    centre = block(net.concat(net.of(low, 128, 3, 2), middle), 64, 64, 128)
    high = block(net.concat(net.of(centre, 256, 3, 2), top), 128, 128, 256)
    for x in (low, centre, high):
        net.apply(net.of(net.of(x, 2 * x.channels, 3), 3 * (COCO + 5), bare=True))
    if best:
        _anchored(net, (low, centre, high))


def _anchored(net: Branches, found: Sequence[Feature]) -> None:
    """From three anchors for each place to boxes, and the class that scores highest."""
    for x in found:
        places = 3 * x.side**2
        net.move((COCO + 5) * places)
        for elements in (2, 2, COCO + 1):
            net.move(elements * places)
        for _ in range(6):  # three for the middle, three for width and height
            net.layers.append(plain("elementwise", reads=2 * places, writes=2 * places))
    places = sum(3 * x.side**2 for x in found)
    net.move((COCO + 5) * places)
    net.move(COCO * places)
    _best(net, places, COCO)
    net.layers.append(plain("elementwise", reads=2 * places, writes=places))


def _elan(
    net: Branches,
    x: Feature,
    beside: int,
    inside: int,
    channels: int,
    *,
    taken: Sequence[int],
    convolutions: int = 4,
) -> Feature:
    found = [net.of(x, beside), net.of(x, beside)]
    for _ in range(convolutions):
        found.append(net.of(found[-1], inside, 3))
    return net.of(net.concat(*(found[place] for place in taken)), channels)


def _halved(net: Branches, x: Feature, channels: int) -> Feature:
    pooled = net.of(net.pooled(x, 2), channels)
    return net.concat(net.of(net.of(x, channels), channels, 3, 2), pooled)


SCALES = {"n": (1 / 3, 0.25, 1024), "s": (1 / 3, 0.5, 1024), "m": (2 / 3, 0.75, 768)}
"""Depth, width, most channels."""


def _c2f_stem(net: Branches, scale: str) -> tuple[list[int], int, int, Feature]:
    """Channels of the five levels, repeats of a short and a long stage, and the map of the third level."""
    net.swish = True
    depth, width, most = SCALES[scale]
    c = [int(min(base, most) * width) for base in (64, 128, 256, 512, 1024)]
    once, twice = round(3 * depth), round(6 * depth)
    x = net.of(net.of(Feature(3, net.side), c[0], 3, 2), c[1], 3, 2)
    x = _c2f(net, x, c[1], once)
    return c, once, twice, _c2f(net, net.of(x, c[2], 3, 2), c[2], twice)


def yolov8(
    net: Branches,
    scale: str,
    *,
    classes: int = COCO,
    more: int = 0,
    proto: bool = False,
    decoded: bool = False,
    best: bool = False,
) -> None:
    """Ultralytics' yolov8.yaml; ``more`` outputs of a third branch: masks (with ``proto``), points or an angle.

    ``decoded``: to the boxes, as Ultralytics exports it; ``best``: with corners of boxes and the best class of each.
    """
    c, once, twice, p3 = _c2f_stem(net, scale)
    p4 = _c2f(net, net.of(p3, c[3], 3, 2), c[3], twice)
    top = _sppf(net, _c2f(net, net.of(p4, c[4], 3, 2), c[4], once))
    middle = _c2f(net, net.concat(net.upsampled(top), p4), c[3], once, bypass=False)
    low = _c2f(net, net.concat(net.upsampled(middle), p3), c[2], once, bypass=False)
    centre = _c2f(net, net.concat(net.of(low, c[2], 3, 2), middle), c[3], once, bypass=False)
    high = _c2f(net, net.concat(net.of(centre, c[3], 3, 2), top), c[4], once, bypass=False)
    boxes, scored = max(64, c[2] // 4), max(c[2], min(classes, 100))
    if proto:
        net.of(net.of(net.transposed(net.of(low, c[2], 3)), c[2], 3), 32)
    for x in (low, centre, high):
        net.of(net.of(net.of(x, boxes, 3), boxes, 3), 64, bare=True)
        _scores(
            net,
            net.of(net.of(net.of(x, scored, 3), scored, 3), classes, bare=True),
            summed=not (decoded or best),
        )
        if more:
            third = max(c[2] // 4, more)
            net.of(net.of(net.of(x, third, 3), third, 3), more, bare=True)
    places = sum(x.side**2 for x in (low, centre, high))
    if decoded:
        _decode(net, places)
    if best:
        _boxes(net, places, classes)
        _best(net, places, classes)
        if more:
            net.move(more * places)
            net.move(more * places)


def _scores(net: Branches, x: Feature, *, summed: bool = True) -> None:
    net.apply(x)
    if summed:
        net.sum_up(x)


def _decode(net: Branches, places: int) -> None:
    """From distributions over 16 distances of four sides to boxes."""
    _boxes(net, places, COCO)
    net.move((4 + COCO) * places)


def _boxes(net: Branches, places: int, classes: int) -> None:
    net.move((64 + classes) * places)
    net.move(64 * places)
    net.layers.append(plain("norm", reads=64 * places, writes=64 * places))
    net.layers.append(plain("elementwise", reads=64 * places, writes=4 * places))
    for _ in range(5):
        net.layers.append(plain("elementwise", reads=4 * places, writes=2 * places))


def _best(net: Branches, places: int, classes: int) -> None:
    """Corners of boxes, and of each the class that scores highest."""
    net.move(4 * places)
    net.move(classes * places)
    for _ in range(4):
        net.layers.append(plain("elementwise", reads=4 * places, writes=2 * places))
    net.move(4 * places)
    net.layers.append(plain("pool", reads=classes * places, writes=places))
    net.move(places)  # which one it is


def _c2f(net: Branches, x: Feature, channels: int, repeats: int, *, bypass: bool = True) -> Feature:
    half = channels // 2
    x = net.of(x, 2 * half)
    net.move(x.elements)
    way = Feature(half, x.side)
    for _ in range(repeats):
        way = net.of(net.of(way, half, 3), half, 3)
        if bypass:
            net.add(way)
    return net.of(net.concat(*[way] * (2 + repeats)), channels)


def yolov10(net: Branches, scale: str) -> None:
    """arXiv:2405.14458, with the head that needs no suppression of the rest."""
    c, once, twice, p3 = _c2f_stem(net, scale)
    p4 = _c2f(net, _sc_down(net, p3, c[3]), c[3], twice)
    last = _c2f if scale == "n" else _c2f_cib
    top = _attention(net, _sppf(net, last(net, _sc_down(net, p4, c[4]), c[4], once)))
    middle = _c2f(net, net.concat(net.upsampled(top), p4), c[3], once, bypass=False)
    low = _c2f(net, net.concat(net.upsampled(middle), p3), c[2], once, bypass=False)
    centre = _c2f(net, net.concat(net.of(low, c[2], 3, 2), middle), c[3], once, bypass=False)
    high = _c2f_cib(net, net.concat(_sc_down(net, centre, c[3]), top), c[4], once)
    boxes, scored = max(64, c[2] // 4), max(c[2], COCO)
    for x in (low, centre, high):
        net.of(net.of(net.of(x, boxes, 3), boxes, 3), 64, bare=True)
        way = net.of(net.of(x, x.channels, 3, depthwise=True), scored)
        way = net.of(net.of(way, scored, 3, depthwise=True), scored)
        _scores(net, net.of(way, COCO, bare=True))


def _sc_down(net: Branches, x: Feature, channels: int) -> Feature:
    return net.of(net.of(x, channels), channels, 3, 2, depthwise=True, bare=True)


def _c2f_cib(net: Branches, x: Feature, channels: int, repeats: int) -> Feature:
    half = channels // 2
    x = net.of(x, 2 * half)
    net.move(x.elements)
    way = Feature(half, x.side)
    for _ in range(repeats):
        way = net.of(net.of(way, half, 3, depthwise=True), 2 * half)
        way = net.of(net.of(way, 2 * half, 7, depthwise=True), half)
        way = net.add(net.of(way, half, 3, depthwise=True))
    return net.of(net.concat(*[way] * (2 + repeats)), channels)


def _attention(net: Branches, x: Feature) -> Feature:
    """Half of the channels attend to one another's places, in heads of 64 with keys of 32."""
    half, places = x.channels // 2, x.side**2
    net.of(x, x.channels)
    net.move(x.elements)
    way = Feature(half, x.side)
    net.of(way, 2 * half, bare=True)
    net.move(2 * half * places)
    heads = half // 64
    net.attend(heads=heads, rows=places, key=32, value=64)
    net.add(net.of(way, half, 3, depthwise=True, bare=True))
    net.add(net.of(way, half, bare=True))
    net.add(net.of(net.of(way, 2 * half), half, bare=True))
    return net.of(net.concat(way, way), x.channels)


def yolos() -> Iterator[tuple[str, int, Callable[[Branches], object]]]:
    """Name, side of the input, and what lays the layers on ``Branches`` of that side."""
    yield "yolo_v3_tiny", 416, yolov3_tiny
    yield "yolov6n", 640, partial(yolov6, width=0.25)
    yield "yolov6s", 640, partial(yolov6, width=0.5)
    yield "yolov6m", 640, yolov6_m
    yield "yolov7-tiny", 640, yolov7_tiny
    yield "yolov7", 640, yolov7
    for scale in SCALES:
        yield f"yolov8{scale}", 640, partial(yolov8, scale=scale)
        yield f"yolov8{scale}-seg", 640, partial(yolov8, scale=scale, more=32, proto=True)
    yield "yolov8n-obb", 640, partial(yolov8, scale="n", classes=15, more=1)
    yield "yolov8n-pose", 640, partial(yolov8, scale="n", classes=1, more=51)
    yield "yolov8n-decoded", 640, partial(yolov8, scale="n", decoded=True)
    for scale in "ns":
        yield f"yolov10{scale}", 640, partial(yolov10, scale=scale)
    yield "qai/yolov7", 640, partial(yolov7_tiny, best=True)
    yield "qai/yolov8_det", 640, partial(yolov8, scale="n", best=True)
    yield "qai/yolov8_seg", 640, partial(yolov8, scale="n", more=32, proto=True, best=True)
    yield "qai/yolov8_obb", 640, partial(yolov8, scale="n", classes=15, more=1, best=True)
