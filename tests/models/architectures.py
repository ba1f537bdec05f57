"""Networks whose MACs and parameters stand in their papers, with unfolded BatchNorm and weights of zero."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx

from tests.models.building import model, node, value


@dataclass
class Builder:
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    norm_channels: int = 0
    """Channels of all BatchNorms together."""

    def conv(
        self,
        x: str,
        channels: tuple[int, int],
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        act: bool = True,
    ) -> str:
        """Conv without bias, BatchNorm, and ReLU6 as Clip; "same" padding."""
        inside, outside = channels
        name = f"n{len(self.nodes)}"
        pads = [kernel // 2] * 4
        self.constants[f"{name}.w"] = np.zeros((outside, inside // groups, kernel, kernel), np.float32)
        self.nodes.append(
            node("Conv", f"{x} {name}.w", f"{name}.c", strides=[stride] * 2, pads=pads, group=groups)
        )
        for part in ("scale", "bias", "mean", "var"):
            self.constants[f"{name}.{part}"] = np.ones(outside, np.float32)
        parameters = " ".join(f"{name}.{part}" for part in ("scale", "bias", "mean", "var"))
        self.nodes.append(node("BatchNormalization", f"{name}.c {parameters}", f"{name}.b"))
        self.norm_channels += outside
        if not act:
            return f"{name}.b"
        self.nodes.append(node("Relu", f"{name}.b", f"{name}.r"))
        return f"{name}.r"

    def inverted(self, x: str, channels: tuple[int, int], *, expand: int, kernel: int, stride: int) -> str:
        """Expand, depthwise, project; added to ``x`` where the shapes are equal."""
        inside, outside = channels
        middle = inside * expand
        y = self.conv(x, (inside, middle)) if expand > 1 else x
        y = self.conv(y, (middle, middle), kernel=kernel, stride=stride, groups=middle)
        y = self.conv(y, (middle, outside), act=False)
        if stride > 1 or inside != outside:
            return y
        self.nodes.append(node("Add", f"{x} {y}", f"{y}.sum"))
        return f"{y}.sum"

    def finish(self, x: str, channels: int, classes: int = 1000, size: int = 224) -> onnx.ModelProto:
        self.constants["fc.w"] = np.zeros((classes, channels), np.float32)
        self.constants["fc.b"] = np.zeros(classes, np.float32)
        self.nodes += [
            node("GlobalAveragePool", x, "pooled"),
            node("Flatten", "pooled", "flat"),
            node("Gemm", "flat fc.w fc.b", "logits", transB=1),
        ]
        return model(
            self.nodes, [value("x", 1, 3, size, size)], [value("logits", 1, classes)], self.constants
        )


def mobilenet_v1() -> onnx.ModelProto:
    """arXiv:1704.04861, table 1."""
    net = Builder()
    x = net.conv("x", (3, 32), kernel=3, stride=2)
    inside = 32
    for outside, stride in (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ):
        x = net.conv(x, (inside, inside), kernel=3, stride=stride, groups=inside)
        x = net.conv(x, (inside, outside))
        inside = outside
    return net.finish(x, inside)


def mobilenet_v2() -> onnx.ModelProto:
    """arXiv:1801.04381, table 2: expansion, channels, repeats, stride."""
    blocks = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    net = Builder()
    x = net.conv("x", (3, 32), kernel=3, stride=2)
    inside = 32
    for expand, outside, repeats, stride in blocks:
        for index in range(repeats):
            x = net.inverted(
                x, (inside, outside), expand=expand, kernel=3, stride=stride if index == 0 else 1
            )
            inside = outside
    return net.finish(net.conv(x, (inside, 1280)), 1280)


def efficientnet_lite0() -> tuple[onnx.ModelProto, int]:
    """EfficientNet-B0 (arXiv:1905.11946, table 1) without squeeze-and-excitation; and its BatchNorm channels."""
    blocks = (
        (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
    )  # fmt: skip
    net = Builder()
    x = net.conv("x", (3, 32), kernel=3, stride=2)
    inside = 32
    for expand, outside, repeats, stride, kernel in blocks:
        for index in range(repeats):
            x = net.inverted(
                x, (inside, outside), expand=expand, kernel=kernel, stride=stride if index == 0 else 1
            )
            inside = outside
    return net.finish(net.conv(x, (inside, 1280)), 1280), net.norm_channels
