"""GhostNet for small grey images: ghost modules, ghost bottlenecks, squeeze-and-excitation.

Han et al., "GhostNet: More Features from Cheap Operations", CVPR 2020, arXiv 1911.11907. The building blocks
are the paper's; the table of stages is shortened and narrowed for 28x28 pixels (28 -> 14 -> 7, where the paper
goes from 224 to 7).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn


class Stage(NamedTuple):
    """One ghost bottleneck: depthwise kernel (where it strides), expanded and output channels, SE, stride."""

    kernel: int
    expanded: int
    channels: int
    excite: bool
    stride: int


STAGES = (
    Stage(3, 16, 16, False, 1),
    Stage(3, 48, 24, False, 2),
    Stage(3, 72, 24, False, 1),
    Stage(5, 96, 48, True, 2),
    Stage(3, 144, 48, True, 1),
    Stage(3, 192, 64, True, 1),
)
STEM_CHANNELS = 16
LAST_CHANNELS = 256
HEAD_CHANNELS = 256


def conv_norm(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias and the batch normalization that replaces the bias."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


class GhostModule(nn.Module):
    """Half of the channels by a 1x1 convolution, the other half from those by a cheap depthwise 3x3."""

    def __init__(self, inputs: int, outputs: int, *, relu: bool) -> None:
        super().__init__()
        half = outputs // 2  # all widths are even: the concatenation needs no slice
        activation: list[nn.Module] = [nn.ReLU(inplace=True)] if relu else []
        self.primary = nn.Sequential(*conv_norm(inputs, half, 1), *activation)
        self.cheap = nn.Sequential(*conv_norm(half, half, 3, groups=half), *activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        intrinsic = self.primary(x)
        return torch.cat([intrinsic, self.cheap(intrinsic)], dim=1)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate in 0..1 that is computed from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = channels // 4
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gated: torch.Tensor = x * self.gate(x)
        return gated


class GhostBottleneck(nn.Module):
    """Ghost module up, depthwise convolution where it strides, SE, ghost module down, plus the shortcut."""

    def __init__(self, inputs: int, stage: Stage) -> None:
        super().__init__()
        wide, kernel, stride = stage.expanded, stage.kernel, stage.stride
        self.expand = GhostModule(inputs, wide, relu=True)
        self.reduce = nn.Sequential(
            *(conv_norm(wide, wide, kernel, stride=stride, groups=wide) if stride > 1 else [])
        )
        self.excite = SqueezeExcite(wide) if stage.excite else nn.Sequential()
        self.project = GhostModule(wide, stage.channels, relu=False)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != stage.channels:
            depthwise = conv_norm(inputs, inputs, kernel, stride=stride, groups=inputs)
            self.shortcut = nn.Sequential(*depthwise, *conv_norm(inputs, stage.channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        narrow: torch.Tensor = self.project(self.excite(self.reduce(self.expand(x))))
        return narrow + self.shortcut(x)


class GhostNet(nn.Module):
    """Normalized grey images [N, 1, 28, 28] -> logits [N, classes]."""

    def __init__(self, classes: int = 10, dropout: float = 0.1) -> None:
        super().__init__()
        blocks: list[nn.Module] = [*conv_norm(1, STEM_CHANNELS, 3), nn.ReLU(inplace=True)]
        channels = STEM_CHANNELS
        for stage in STAGES:
            blocks.append(GhostBottleneck(channels, stage))
            channels = stage.channels
        blocks += [*conv_norm(channels, LAST_CHANNELS, 1), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(LAST_CHANNELS, HEAD_CHANNELS, 1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(HEAD_CHANNELS, classes),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(image))
        return logits
