"""Networks that no library has, in the layers of PyTorch, for ``exported_models.py``."""

from __future__ import annotations

from typing import cast

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(inside: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution with its BatchNorm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inside, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


def mobilenet_v1(inside: int, last_stride: int) -> nn.Sequential:
    """arXiv:1704.04861 up to its last map."""
    layers: list[nn.Module] = [conv(inside, 32, 3, 2)]
    channels = 32
    for made, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5,
                         (1024, last_stride), (1024, 1)):  # fmt: skip
        layers += [conv(channels, channels, 3, stride, channels), conv(channels, made, 1)]
        channels = made
    return nn.Sequential(*layers)


class YamNet(nn.Module):
    """MobileNet v1 on a patch of a spectrogram, 521 kinds of sound."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = mobilenet_v1(1, 2), nn.Linear(1024, 521)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3))).sigmoid()


class PoseNet(nn.Module):
    """MobileNet v1 that halves its sides four times; heat, offsets and two displacements of 17 points."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mobilenet_v1(3, 1)
        self.heads = nn.ModuleList([nn.Conv2d(1024, made, 1) for made in (17, 34, 32, 32)])

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.body(x)
        heat, *others = [head(x) for head in self.heads]
        return [heat.sigmoid(), *others]


def light(channels: int) -> nn.Sequential:
    """OSNet's light convolution of 3 x 3: pointwise, then depthwise."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False), conv(channels, channels, 3, groups=channels)
    )


class OsBlock(nn.Module):
    """arXiv:1905.00953: one to four light 3 x 3 convolutions, weighed by one gate."""

    def __init__(self, inside: int, channels: int) -> None:
        super().__init__()
        middle = channels // 4
        self.first, self.last = conv(inside, middle, 1), conv(middle, channels, 1)[:2]
        self.ways = nn.ModuleList(
            [nn.Sequential(*[light(middle) for _ in range(count)]) for count in (1, 2, 3, 4)]
        )
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(middle, middle // 16, 1),
            nn.ReLU(),
            nn.Conv2d(middle // 16, middle, 1),
            nn.Sigmoid(),
        )
        self.around = conv(inside, channels, 1)[:2] if inside != channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        made = [way(first) for way in self.ways]
        total = sum((way * self.gate(way) for way in made[1:]), made[0] * self.gate(made[0]))
        return functional.relu(self.last(total) + self.around(x))


def osnet() -> nn.Module:
    """The same at width 1, 512 features, 1,000 identities."""
    layers: list[nn.Module] = [conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    inside = 64
    for channels, is_last in ((256, False), (384, False), (512, True)):
        layers += [OsBlock(inside, channels), OsBlock(channels, channels)]
        layers += [] if is_last else [conv(channels, channels, 1), nn.AvgPool2d(2)]
        inside = channels
    layers += [conv(512, 512, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU())


class Refined(nn.Module):
    """MiDaS: two convolutions that add to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ways = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.ways(x) + x)


class Midas(nn.Module):
    """arXiv:1907.01341, version 2.1 small: EfficientNet-Lite3, four fusions that halve their channels."""

    def __init__(self) -> None:
        super().__init__()
        self.body = timm.create_model("tf_efficientnet_lite3", features_only=True, out_indices=(1, 2, 3, 4))
        widths = (64, 128, 256, 512)
        self.scratch = nn.ModuleList(
            [
                nn.Conv2d(inside, width, 3, 1, 1, bias=False)
                for inside, width in zip((32, 48, 136, 384), widths, strict=True)
            ]
        )
        self.beside = nn.ModuleList([Refined(width) for width in widths[:3]])
        self.after = nn.ModuleList([Refined(width) for width in widths])
        self.out = nn.ModuleList([nn.Conv2d(width, max(width // 2, 64), 1) for width in widths])
        self.head = nn.Sequential(nn.Conv2d(64, 32, 3, 1, 1), nn.Upsample(scale_factor=2, mode="bilinear"))
        self.depth = nn.Sequential(nn.Conv2d(32, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 1, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        found = [layer(level) for layer, level in zip(self.scratch, self.body(x), strict=True)]
        way = None
        for level in (3, 2, 1, 0):
            way = found[level] if way is None else way + self.beside[level](found[level])
            way = functional.interpolate(self.after[level](way), scale_factor=2, mode="bilinear")
            way = self.out[level](way)
        return cast(Tensor, self.depth(self.head(way)))


NETWORKS: dict[str, tuple[nn.Module, Tensor]] = {
    "yamnet": (YamNet(), torch.zeros(1, 1, 96, 64)),
    "posenet_mobilenet": (PoseNet(), torch.zeros(1, 3, 513, 257)),
    "osnet": (osnet(), torch.zeros(1, 3, 256, 128)),
    "midas": (Midas(), torch.zeros(1, 3, 256, 256)),
}
