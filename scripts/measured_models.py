"""Write edgekit/simulation/published/models.csv again: the layers of every model that published measurements name.

    git clone https://github.com/Tencent/ncnn && git -C ncnn checkout a4d2ea1d4422c9e849f166fd7a4aefb52f942f6a
    python -m scripts.exported_models exported
    python -m scripts.measured_models ncnn/benchmark/models exported

ncnn's models are read from its own files, PaddleOCR's detector from the zoo's, many that NPUs were timed with from what
PyTorch's libraries export (``scripts/exported_models.py`` says what that needs); the others are built as their papers and
repositories have them (those of TensorFlow with 1,001 classes, "same" padding, BatchNorm folded).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from edgekit.models import load_model
from edgekit.models.zoo import resolve
from edgekit.simulation.layer import Layer
from edgekit.simulation.layers import layers_of
from edgekit.simulation.published import FOLDER
from scripts.branches import Branches, Feature
from scripts.detectors import detectors
from scripts.encoders import OPENVINO_TOKENS, bert
from scripts.ncnn_layers import read_param
from scripts.net import Net, bottlenecks
from scripts.upscalers import image_to_image
from scripts.yolo import yolos
from scripts.yolov4 import yolov4

NCNN = {
    "FastestDet": 352, "alexnet": 227, "blazeface": 128, "mnasnet": 224, "mobilenet": 224, "mobilenet_int8": 224,
    "mobilenet_ssd": 300, "mobilenet_ssd_int8": 300, "mobilenet_v2": 224, "mobilenet_v3": 224, "mobilenet_yolo": 416,
    "mobilenetv2_yolov3": 352, "nanodet_m": 320, "resnet18": 224, "resnet18_int8": 224, "resnet50": 224,
    "resnet50_int8": 224, "squeezenet": 227, "squeezenet_int8": 227, "vgg16": 224, "vgg16_int8": 224,
    "vision_transformer": 384, "yolo-fastest-1.1": 320, "yolo-fastestv2": 352, "yolov4-tiny": 416,
}  # fmt: skip
"""Side of the input, as benchncnn.cpp has it."""
CLASSES = 1001


def by_eight(channels: float) -> int:
    """The multiple of eight that TensorFlow's models take."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def mobilenet_v1(net: Net, width: float) -> None:
    net.conv(max(int(32 * width), 8), 3, 2)
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2),
                             (1024, 1)):  # fmt: skip
        net.conv(net.channels, 3, stride, depthwise=True)
        net.conv(int(channels * width), 1)
    net.pool(1)
    net.dense(CLASSES)
    net.softmax()


def mobilenet_v2(net: Net, width: float) -> None:
    net.conv(by_eight(32 * width), 3, 2)
    for expand, channels, repeats, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                              (6, 160, 3, 2), (6, 320, 1, 1)):  # fmt: skip
        for index in range(repeats):
            entered = net.enter()
            if expand > 1:
                net.conv(net.channels * expand, 1)
            net.conv(net.channels, 3, stride if index == 0 else 1, depthwise=True)
            net.conv(by_eight(channels * width), 1)
            net.leave(entered)
    net.conv(by_eight(1280 * max(width, 1)), 1)
    net.pool(1)
    net.dense(CLASSES)
    net.softmax()


LARGE = (
    (3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2), (5, 120, 40, 1, 0, 1),
    (5, 120, 40, 1, 0, 1), (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1),
    (3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1), (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1),
    (5, 960, 160, 1, 1, 1),
)  # fmt: skip
SMALL = (
    (3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1), (5, 96, 40, 1, 1, 2), (5, 240, 40, 1, 1, 1),
    (5, 240, 40, 1, 1, 1), (5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1), (5, 288, 96, 1, 1, 2), (5, 576, 96, 1, 1, 1),
    (5, 576, 96, 1, 1, 1),
)  # fmt: skip
"""arXiv:1905.02244, tables 1 and 2: kernel, expansion, channels, squeeze-excite, hard swish, stride."""


def mobilenet_v3(net: Net, width: float, *, large: bool, minimal: bool) -> None:
    """``minimal``: neither squeeze-excite nor hard swish nor 5 x 5."""

    def activated(
        channels: int, kernel: int, stride: int = 1, *, swish: bool, depthwise: bool = False
    ) -> None:
        net.conv(channels, kernel, stride, depthwise=depthwise)
        if swish and not minimal:
            net.elementwise()

    activated(16 if minimal else by_eight(16 * width), 3, 2, swish=True)
    for index, (kernel, expanded, channels, excite, swish, stride) in enumerate(LARGE if large else SMALL):
        entered = net.enter()
        if index:
            activated(expanded if width == 1 else by_eight(expanded * width), 1, swish=bool(swish))
        activated(net.channels, 3 if minimal else kernel, stride, swish=bool(swish), depthwise=True)
        if excite and not minimal:
            net.squeeze_excite(by_eight(net.channels / 4))
        net.conv(by_eight(channels * width), 1)
        net.leave(entered)
    activated(by_eight((960 if large else 576) * width), 1, swish=True)
    net.pool(1)
    activated(1280 if large else 1024, 1, swish=True)
    net.conv(CLASSES, 1)
    net.softmax()


def resnet50(net: Net) -> None:
    """With 1,001 classes, as MLPerf's model has it."""
    bottlenecks(net)
    net.pool(1)
    net.dense(CLASSES)
    net.softmax()


def resnet50_v2(net: Branches) -> None:
    """arXiv:1603.05027 as ONNX's model zoo has it: normalized before convolutions, so that it cannot be folded into them."""

    def before(x: Feature) -> Feature:
        net.apply(x)  # the normalization
        net.apply(x)
        return x

    net.apply(Feature(3, net.side))
    x = net.pooled(net.of(Feature(3, net.side), 64, 7, 2), 2)
    for stage, (repeats, channels) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for index in range(repeats):
            stride = 2 if index == 0 and stage else 1
            before(x)
            if index == 0:
                net.of(x, 4 * channels, 1, stride)
            x = net.add(net.of(net.of(net.of(x, channels), channels, 3, stride), 4 * channels))
    net.channels, net.side = before(x)
    net.pool(1)
    net.dense(1000)


def architectures() -> Iterator[tuple[str, int, Callable[[Net], None]]]:
    """Name, side of the input, and what lays the layers on a ``Net`` of that side."""
    for width in ("0.25", "0.5", "0.75", "1.0"):
        for side in (128, 160, 192, 224):
            yield f"mobilenet_v1_{width}_{side}", side, partial(mobilenet_v1, width=float(width))
    for width in ("0.35", "0.5", "0.75", "1.0"):
        for side in (96, 128, 160, 192, 224):
            yield f"mobilenet_v2_{width}_{side}", side, partial(mobilenet_v2, width=float(width))
    for width in ("1.3", "1.4"):
        yield f"mobilenet_v2_{width}_224", 224, partial(mobilenet_v2, width=float(width))
    for name in ("large", "small"):
        make = partial(mobilenet_v3, large=name == "large")
        yield f"mobilenet_v3_{name}_min_1.0_224", 224, partial(make, width=1, minimal=True)
        for width in ("0.75", "1.0"):
            yield f"mobilenet_v3_{name}_{width}_224", 224, partial(make, width=float(width), minimal=False)
    yield "resnet50_v1.5", 224, resnet50


def berts() -> Iterator[tuple[str, int, Callable[[Branches], object]]]:
    """Those of stated lengths, as Ascend's model zoo has them: RoBERTa's body is BERT's."""
    for tokens in (16, 32, 64, 128):
        yield f"bert_base_{tokens}", 1, partial(bert, tokens=tokens)
    for tokens in (16, 32, 64):
        yield f"albert_base_{tokens}", 1, partial(bert, tokens=tokens, embedded=128)
    yield "bert_large_64", 1, partial(bert, tokens=64, width=1024, blocks=24)


def built() -> Iterator[tuple[str, list[Layer]]]:
    for name, side, lay in architectures():
        net = Net(side)
        lay(net)
        yield name, net.layers
    others: tuple[tuple[str, int, Callable[[Branches], object]], ...] = (
        ("resnet50-v2-7", 224, resnet50_v2),
        ("yolov4", 608, yolov4),
        ("bert-base-cased", 1, partial(bert, tokens=OPENVINO_TOKENS)),
    )
    for name, side, draw in (*yolos(), *detectors(), *image_to_image(), *berts(), *others):
        branches = Branches(side)
        draw(branches)
        yield name, branches.layers


FRAMES = {"ascend/tsn": 75}
"""Exported of one frame, and timed with as many at once."""


def exported_models(folder: Path) -> Iterator[tuple[str, Sequence[Layer]]]:
    """As they were timed; named after their folder."""
    for path in folder.glob("*/*.onnx"):
        name = f"{path.parent.name}/{path.stem}"
        yield name, repeated(layers_of(load_model(path)), FRAMES.get(name, 1))


def repeated(layers: Sequence[Layer], count: int) -> Sequence[Layer]:
    """For ``count`` inputs at once: weights are read once."""
    return [
        replace(layer, macs=count * layer.macs, reads=count * layer.reads, writes=count * layer.writes)
        for layer in layers
    ]


def main(folder: Path, exported: Path) -> None:
    models: dict[str, Sequence[Layer]] = dict(built())
    models |= {name: read_param(folder / f"{name}.param", side) for name, side in NCNN.items()}
    detector = load_model(resolve("ppocrv4-det"), {"x": (1, 3, 480, 480)})
    models["ppocrv4_det"] = layers_of(detector)  # of the side that Rockchip timed it with
    models |= dict(exported_models(exported))
    write_models(FOLDER / "models.csv", models)


def write_models(path: Path, models: Mapping[str, Sequence[Layer]]) -> None:
    """The layers of ``models`` as a table, one layer a row."""
    columns = [item.name for item in fields(Layer) if item.compare]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", *columns])
        for name, layers in sorted(models.items()):
            writer.writerows([name, *(getattr(layer, column) for column in columns)] for layer in layers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
