"""Small graphs of seeded weights, each heavy in one thing that a runtime keeps in memory; none is a known model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SEED = 11


@dataclass(slots=True)
class _Net:
    """A chain of layers under construction; what is added reads what was added last."""

    channels: int
    side: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    last: str = "x"
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(_SEED))

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"n_{name}", **attributes))
        self.last = name
        return name

    def weight(self, *shape: int, fan_in: int) -> str:
        values = (self.random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, out: int, kernel: int = 3, *, stride: int = 1, groups: int = 1, relu: bool = True) -> str:
        fan_in = self.channels // groups * kernel**2
        weight = self.weight(out, self.channels // groups, kernel, kernel, fan_in=fan_in)
        bias = self.weight(out, fan_in=out)
        pads = [kernel // 2] * 4
        self.add("Conv", self.last, weight, bias, pads=pads, strides=[stride] * 2, group=groups)
        self.channels, self.side = out, -(-self.side // stride)
        return self.add("Relu", self.last) if relu else self.last

    def separable(self, out: int, *, stride: int = 1) -> str:
        self.conv(self.channels, stride=stride, groups=self.channels)
        return self.conv(out, 1)

    def inverted(self, expansion: int = 6) -> str:
        """Widen, depthwise, narrow, add what went in."""
        before, width = self.last, self.channels
        self.conv(width * expansion, 1)
        self.conv(self.channels, groups=self.channels)
        self.conv(width, 1, relu=False)
        return self.add("Add", self.last, before)

    def up(self, scale: int = 2) -> str:
        scales = f"s{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), scales))
        self.side *= scale
        return self.add(
            "Resize", self.last, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )  # fmt: skip

    def join(self, other: str, channels: int) -> str:
        self.channels += channels
        return self.add("Concat", self.last, other, axis=1)

    def classes(self, count: int = 10) -> str:
        self.add("GlobalAveragePool", self.last)
        self.add("Flatten", self.last)
        return self.product(count, self.channels)

    def product(self, columns: int, rows: int) -> str:
        return self.add("MatMul", self.last, self.weight(rows, columns, fan_in=rows))

    def finish(self, name: str, shape: tuple[int, ...], kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info("x", kind, shape)]
        graph = helper.make_graph(self.nodes, name, inputs, [], self.weights)
        graph.output.append(helper.make_value_info(self.last, onnx.TypeProto()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        done = onnx.shape_inference.infer_shapes(onnx.shape_inference.infer_shapes(model), strict_mode=False)
        del done.graph.output[:]
        found = {value.name: value for value in done.graph.value_info}
        done.graph.output.append(found.get(self.last) or _inferred(model, self.last))
        return done


def _inferred(model: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    made: onnx.ValueInfoProto = onnx.shape_inference.infer_shapes(model).graph.output[0]
    return made


def _image(name: str, build: Callable[[_Net], object], side: int = 32, channels: int = 3) -> onnx.ModelProto:
    net = _Net(channels, side)
    build(net)
    return net.finish(name, (1, channels, side, side))


def _windows(widths: tuple[int, ...], side: int = 32, stride: int = 2) -> Callable[[_Net], None]:
    def build(net: _Net) -> None:
        for index, width in enumerate(widths):
            net.conv(width, stride=stride if index < 3 else 1)
        net.classes()

    return build


def _points(widths: tuple[int, ...]) -> Callable[[_Net], None]:
    def build(net: _Net) -> None:
        net.conv(widths[0], stride=4)
        for width in widths:
            net.conv(width, 1)
        net.classes()

    return build


def _mobile(widths: tuple[int, ...]) -> Callable[[_Net], None]:
    def build(net: _Net) -> None:
        net.conv(widths[0], stride=2)
        for index, width in enumerate(widths):
            net.separable(width, stride=2 if index % 3 == 1 else 1)
        net.classes(1000)

    return build


def _residual(width: int, blocks: int, stride: int = 2) -> Callable[[_Net], None]:
    def build(net: _Net) -> None:
        net.conv(width, stride=stride)
        for _ in range(blocks):
            net.inverted()
        net.classes()

    return build


def _pyramid(width: int, stages: int) -> Callable[[_Net], None]:
    """Down and up again, joined with what was on the way."""

    def build(net: _Net) -> None:
        net.conv(width, stride=2)
        kept = []
        for stage in range(stages):
            kept.append((net.last, net.channels))
            net.conv(width * 2 ** (stage + 1) // 2, stride=2)
        for name, channels in reversed(kept):
            net.up()
            net.join(name, channels)
            net.conv(width)
        net.conv(1, 1, relu=False)
        net.add("Sigmoid", net.last)

    return build


def _dense(widths: tuple[int, ...], rows: int = 1) -> onnx.ModelProto:
    net = _Net(widths[0], 1)
    for before, after in pairwise(widths):
        net.product(after, before)
        net.add("Add", net.last, net.weight(after, fan_in=after))
        net.add("Relu", net.last)
    return net.finish("dense", (1, rows, widths[0]))


def _encoder(tokens: int, width: int, blocks: int, words: int, *, positions: bool = False) -> onnx.ModelProto:
    """A table of embeddings, to which those of positions may be added, and feed-forward blocks with residuals."""
    net = _Net(width, 1)
    table = net.weight(words, width, fan_in=1)
    net.add("Gather", table, "x", axis=0)
    if positions:
        net.add("Add", net.last, net.weight(tokens, width, fan_in=1))
    for _ in range(blocks):
        before = net.last
        net.product(4 * width, width)
        net.add("Relu", net.last)
        net.product(width, 4 * width)
        net.add("Add", net.last, before)
    return net.finish("encoder", (1, tokens), TensorProto.INT64)


PROBES: Mapping[str, Callable[[], onnx.ModelProto]] = {
    "nothing": lambda: _image("nothing", _windows((8, 8, 8))),
    "windows-small": lambda: _image("windows-small", _windows((64, 128, 192, 192, 192))),
    "windows-large": lambda: _image("windows-large", _windows((128, 256, 512, 512, 512, 768))),
    "points-small": lambda: _image("points-small", _points((256, 384, 512, 512, 768))),
    "points-large": lambda: _image("points-large", _points((512, 1024, 1024, 1536, 1536, 1024))),
    "mobile": lambda: _image("mobile", _mobile((32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 1024)), 160),
    "mobile-wide": lambda: _image("mobile-wide", _mobile((64, 128, 256, 256, 512, 512, 1024, 1024, 1024)), 256),
    "residual-many": lambda: _image("residual-many", _residual(16, 40), 64),
    "residual-large": lambda: _image("residual-large", _residual(24, 4), 384),
    "windows-image": lambda: _image("windows-image", _windows((32, 64, 64), stride=1), 256),
    "pyramid-small": lambda: _image("pyramid-small", _pyramid(24, 3), 320),
    "pyramid-large": lambda: _image("pyramid-large", _pyramid(32, 4), 640),
    "dense": lambda: _dense((1024, 2048, 2048, 1024)),
    "dense-large": lambda: _dense((2048, 4096, 2048, 2048)),
    "linear": lambda: _dense((512, 2048, 512, 2048, 512, 2048, 512), rows=64),
    "linear-rows": lambda: _dense((256, 1024, 256, 1024, 256), rows=2048),
    "encoder": lambda: _encoder(64, 256, 6, 20_000),
    "encoder-positions": lambda: _encoder(64, 256, 6, 30_000, positions=True),
    "encoder-large": lambda: _encoder(128, 384, 8, 30_000),
}  # fmt: skip
"""Name -> the graph."""
