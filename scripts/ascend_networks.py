"""Networks that were timed on Ascend NPUs and that no library has, in PyTorch's layers, for ``exported_models.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from scripts.torch_networks import conv, mobilenet_v1


def strided(inside: int, channels: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A convolution that keeps the side, but for its stride."""
    return nn.Conv2d(inside, channels, kernel, stride, dilation * (kernel // 2), dilation)


class Around(nn.Module):
    """What goes in is added to what comes out."""

    def __init__(self, *inside: nn.Module) -> None:
        super().__init__()
        self.inside = nn.Sequential(*inside)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.inside(x))


def cyclegan() -> nn.Module:
    """arXiv:1703.10593, its generator of nine blocks; normalized by instance, which folds into nothing."""

    def normed(layer: nn.Module, channels: int) -> list[nn.Module]:
        return [layer, nn.InstanceNorm2d(channels), nn.ReLU()]

    layers = (
        normed(strided(3, 64, 7), 64)
        + normed(strided(64, 128, 3, 2), 128)
        + normed(strided(128, 256, 3, 2), 256)
    )
    layers += [Around(*normed(strided(256, 256), 256), *normed(strided(256, 256), 256)[:2]) for _ in range(9)]
    for inside, channels in ((256, 128), (128, 64)):
        layers += normed(nn.ConvTranspose2d(inside, channels, 3, 2, 1, 1), channels)
    return nn.Sequential(*layers, strided(64, 3, 7), nn.Tanh())


class UnetLevel(nn.Module):
    """arXiv:1611.07004: down, what is inside, up, beside what went in."""

    def __init__(self, outer: int, inner: int, inside: nn.Module | None, entering: int | None = None) -> None:
        super().__init__()
        self.is_outermost = entering is not None
        made = inner if inside is None else 2 * inner
        self.ways = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Conv2d(entering or outer, inner, 4, 2, 1), inside or nn.Identity(),
            nn.ReLU(), nn.ConvTranspose2d(made, outer, 4, 2, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found = self.ways(x)
        return cast(Tensor, found.tanh() if self.is_outermost else torch.cat((x, found), 1))


def pix2pix() -> nn.Module:
    """The same paper's generator for 256 x 256."""
    level = UnetLevel(512, 512, None)
    for outer, inner in ((512, 512), (512, 512), (512, 512), (256, 512), (128, 256), (64, 128)):
        level = UnetLevel(outer, inner, level)
    return UnetLevel(3, 64, level, 3)


class SuperPoint(nn.Module):
    """arXiv:1712.07629 with BatchNorm: corners in cells of 8 x 8, and 256 values that describe each."""

    def __init__(self) -> None:
        super().__init__()
        widths, layers, inside = (64, 64, 128, 128), list[nn.Module](), 1
        for place, width in enumerate(widths):
            layers += [conv(inside, width, 3), conv(width, width, 3)]
            layers += [nn.MaxPool2d(2)] if place < 3 else []
            inside = width
        self.body = nn.Sequential(*layers)
        self.corners = nn.Sequential(conv(128, 256, 3), nn.Conv2d(256, 65, 1))
        self.words = nn.Sequential(conv(128, 256, 3), nn.Conv2d(256, 256, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x)
        words = self.words(x)
        return self.corners(x), words / words.norm(dim=1, keepdim=True)


class Dense(nn.Module):
    """RDN's block: eight convolutions, each of all before, and one of 1 x 1."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([strided(64 * (place + 1), 64) for place in range(8)])
        self.last = nn.Conv2d(64 * 9, 64, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = x
        for layer in self.layers:
            found = torch.cat((found, layer(found).relu()), 1)
        return cast(Tensor, x + self.last(found))


class Rdn(nn.Module):
    """arXiv:1802.08797, twice the side: sixteen blocks of 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = strided(3, 64), strided(64, 64)
        self.blocks = nn.ModuleList([Dense() for _ in range(16)])
        self.joined = nn.Sequential(nn.Conv2d(16 * 64, 64, 1), strided(64, 64))
        self.last = nn.Sequential(strided(64, 256), nn.PixelShuffle(2), strided(64, 3))

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        found, x = [], self.second(first)
        for block in self.blocks:
            x = block(x)
            found.append(x)
        return cast(Tensor, self.last(self.joined(torch.cat(found, 1)) + first))


class ChannelAttention(nn.Module):
    """RCAN's block: two convolutions, weighed channel by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.ways = nn.Sequential(strided(64, 64), nn.ReLU(), strided(64, 64))
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, 4, 1), nn.ReLU(), nn.Conv2d(4, 64, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        found = self.ways(x)
        return cast(Tensor, x + found * self.gate(found))


def rcan() -> nn.Module:
    """arXiv:1807.02758, twice the side: ten groups of twenty blocks."""
    groups = [Around(*[ChannelAttention() for _ in range(20)], strided(64, 64)) for _ in range(10)]
    body = Around(*groups, strided(64, 64))
    return nn.Sequential(strided(3, 64), body, strided(64, 256), nn.PixelShuffle(2), strided(64, 3))


class Adnet(nn.Module):
    """Denoising with attention (Tian et al. 2020): 17 layers of 64 channels, five of them dilated, then a gate."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place in range(1, 16):
            layers += [
                strided(1 if place == 1 else 64, 64, dilation=2 if place in (2, 5, 9, 12) else 1),
                nn.ReLU(),
            ]
        self.body, self.last, self.gate = nn.Sequential(*layers), strided(64, 1), nn.Conv2d(2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = self.last(self.body(x))
        gate = self.gate(torch.cat((x, found), 1).tanh())
        return x - gate * found


class Factorized(nn.Module):
    """ErfNet's block: 3 x 1 and 1 x 3, once plain and once dilated."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for step in (1, dilation):
            layers += [
                nn.Conv2d(channels, channels, (3, 1), 1, (step, 0), (step, 1)), nn.ReLU(),
                nn.Conv2d(channels, channels, (1, 3), 1, (0, step), (1, step)), nn.BatchNorm2d(channels), nn.ReLU(),
            ]  # fmt: skip
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.layers(x) + x)


class Halved(nn.Module):
    """Convolution and pooling beside one another."""

    def __init__(self, inside: int, channels: int) -> None:
        super().__init__()
        self.ways, self.after = nn.Conv2d(inside, channels - inside, 3, 2, 1), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.after(torch.cat((self.ways(x), functional.max_pool2d(x, 2)), 1)))


def erfnet() -> nn.Module:
    """Romera et al. 2018, 20 classes."""
    layers: list[nn.Module] = [
        Halved(3, 16),
        Halved(16, 64),
        *[Factorized(64, 1) for _ in range(5)],
        Halved(64, 128),
    ]
    layers += [Factorized(128, dilation) for _ in range(2) for dilation in (2, 4, 8, 16)]
    for inside, channels in ((128, 64), (64, 16)):
        layers += [nn.ConvTranspose2d(inside, channels, 3, 2, 1, 1), nn.BatchNorm2d(channels), nn.ReLU()]
        layers += [Factorized(channels, 1) for _ in range(2)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(16, 20, 2, 2))


class LightPose(nn.Module):
    """arXiv:1811.12004: MobileNet v1 that halves three times and dilates, one stage of refinement."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv(3, 32, 3, 2)]
        inside = 32
        for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 1), *[(512, 1)] * 5):
            layers += [conv(inside, inside, 3, stride, inside), conv(inside, channels, 1)]
            inside = channels
        self.body = nn.Sequential(*layers)
        self.align = conv(512, 128, 1)
        self.trunk = nn.Sequential(*[self._light(128) for _ in range(3)])
        self.after = strided(128, 128)
        self.first = nn.Sequential(*[conv(128, 128, 3) for _ in range(3)])
        self.heads = nn.ModuleList([self._head(128, 512, outputs) for outputs in (19, 38)])
        self.refine = nn.ModuleList([self._refiner(128 + 57 if place == 0 else 128) for place in range(5)])
        self.last = nn.ModuleList([self._head(128, 128, outputs) for outputs in (19, 38)])

    @staticmethod
    def _light(channels: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False),
            nn.ELU(), nn.Conv2d(channels, channels, 1), nn.ELU(),
        )  # fmt: skip

    @staticmethod
    def _head(inside: int, middle: int, outputs: int) -> nn.Module:
        return nn.Sequential(conv(inside, middle, 1), nn.Conv2d(middle, outputs, 1))

    @staticmethod
    def _refiner(inside: int) -> nn.Module:
        dilated = nn.Sequential(strided(128, 128, dilation=2), nn.BatchNorm2d(128), nn.ReLU())
        return nn.Sequential(conv(inside, 128, 1), Around(conv(128, 128, 3), dilated))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.align(self.body(x))
        x = self.after(x + self.trunk(x)).relu()
        first = self.first(x)
        found = [head(first) for head in self.heads]
        x = torch.cat((x, *found), 1)
        for layer in self.refine:
            x = layer(x)
        return [*found, *[head(x) for head in self.last]]


class Lanes(nn.Module):
    """arXiv:2004.11757 on a ResNet-18: 100 places in each of 56 rows for four lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*list(models.resnet18().children())[:-2], nn.Conv2d(512, 8, 1))
        self.head = nn.Sequential(nn.Linear(1800, 2048), nn.ReLU(), nn.Linear(2048, 101 * 56 * 4))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.body(x).reshape(1, 1800)))


def resnet50_body(*, last_stride: int = 2) -> nn.Sequential:
    """A ResNet-50 up to its last map."""
    body = nn.Sequential(*list(models.resnet50().children())[:-2])
    if last_stride == 1:
        body[-1][0].conv2.stride = body[-1][0].downsample[0].stride = (1, 1)
    return body


def with_head(body: nn.Module, channels: int, outputs: int) -> nn.Module:
    """The mean of the last map, then a matrix."""
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs))


class RootNet(nn.Module):
    """arXiv:1907.11346: a ResNet-50, three transposed convolutions to 64 x 64, and the depth beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, layers, inside = resnet50_body(), list[nn.Module](), 2048
        for _ in range(3):
            layers += [nn.ConvTranspose2d(inside, 256, 4, 2, 1), nn.BatchNorm2d(256), nn.ReLU()]
            inside = 256
        self.up, self.place, self.depth = nn.Sequential(*layers), nn.Conv2d(256, 1, 1), nn.Conv2d(2048, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x)
        place = self.place(self.up(x)).flatten(1).softmax(1)
        return place, self.depth(x.mean((2, 3), keepdim=True))


class SmallSsd(nn.Module):
    """qfgaohao/pytorch-ssd: a MobileNet, four smaller maps, heads with 21 classes; boxes are decoded outside."""

    def __init__(self, first: nn.Module, second: nn.Module, extras: Sequence[nn.Module],
                 heads: Callable[[int, int], nn.Module], widths: Sequence[int]) -> None:  # fmt: skip
        super().__init__()
        self.parts = nn.ModuleList([first, second, *extras])
        anchors = (6,) * len(widths)
        self.boxes = nn.ModuleList(
            [heads(width, 4 * count) for width, count in zip(widths, anchors, strict=True)]
        )
        self.classes = nn.ModuleList(
            [heads(width, 21 * count) for width, count in zip(widths, anchors, strict=True)]
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        boxes, classes = [], []
        for part, box, kind in zip(self.parts, self.boxes, self.classes, strict=True):
            x = part(x)
            boxes.append(box(x).permute(0, 2, 3, 1).reshape(1, -1, 4))
            classes.append(kind(x).permute(0, 2, 3, 1).reshape(1, -1, 21))
        return torch.cat(classes, 1).softmax(-1), torch.cat(boxes, 1)


def ssd_mobilenet_v1() -> nn.Module:
    body = mobilenet_v1(3, 2)
    extras = [
        nn.Sequential(conv(inside, middle, 1), conv(middle, made, 3, 2))
        for inside, middle, made in ((1024, 256, 512), (512, 128, 256), (256, 128, 256), (256, 128, 256))
    ]
    widths = (512, 1024, 512, 256, 256, 256)
    return SmallSsd(body[:23], body[23:], extras, lambda inside, outputs: strided(inside, outputs), widths)


def ssd_mobilenet_v2() -> nn.Module:
    body = models.mobilenet_v2().features
    first = nn.Sequential(*body[:14], body[14].conv[0])
    second = nn.Sequential(*body[14].conv[1:], *body[15:])

    def inverted(inside: int, made: int, ratio: float) -> nn.Module:
        middle = int(inside * ratio)
        return nn.Sequential(
            conv(inside, middle, 1), conv(middle, middle, 3, 2, middle), conv(middle, made, 1)[:2]
        )

    def separable(inside: int, outputs: int) -> nn.Module:
        return nn.Sequential(conv(inside, inside, 3, 1, inside), nn.Conv2d(inside, outputs, 1))

    extras = [
        inverted(inside, made, ratio)
        for inside, made, ratio in ((1280, 512, 0.2), (512, 256, 0.25), (256, 256, 0.5), (256, 64, 0.25))
    ]
    return SmallSsd(first, second, extras, separable, (576, 1280, 512, 256, 256, 64))


class Upward(nn.Module):
    """CRAFT's step up: what is coarse beside what is fine, then 1 x 1 and 3 x 3."""

    def __init__(self, inside: int, middle: int, made: int) -> None:
        super().__init__()
        self.ways = nn.Sequential(conv(inside, middle, 1), conv(middle, made, 3))

    def forward(self, x: Tensor, fine: Tensor) -> Tensor:
        return cast(Tensor, self.ways(torch.cat((x, fine), 1)))


class Craft(nn.Module):
    """arXiv:1904.01941: VGG-16 with BatchNorm, four steps up to half the side."""

    def __init__(self) -> None:
        super().__init__()
        body = models.vgg16_bn().features
        self.parts = nn.ModuleList([body[:12], body[12:19], body[19:29], body[29:39]])
        self.last = nn.Sequential(
            nn.MaxPool2d(3, 1, 1), nn.Conv2d(512, 1024, 3, 1, 6, 6), nn.Conv2d(1024, 1024, 1)
        )
        self.up = nn.ModuleList(
            [Upward(1024 + 512, 512, 256), Upward(256 + 512, 256, 128), Upward(128 + 256, 128, 64),
             Upward(64 + 128, 64, 32)]
        )  # fmt: skip
        self.head = nn.Sequential(
            strided(32, 32), nn.ReLU(), strided(32, 32), nn.ReLU(), strided(32, 16), nn.ReLU(),
            nn.Conv2d(16, 16, 1), nn.ReLU(), nn.Conv2d(16, 2, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for part in self.parts:
            x = part(x)
            found.append(x)
        x = self.last(x)
        for place, (step, fine) in enumerate(zip(self.up, reversed(found), strict=True)):
            if place:
                x = functional.interpolate(x, size=fine.shape[2:], mode="bilinear")
            x = step(x, fine)
        return cast(Tensor, self.head(x))


class Shifted(nn.Module):
    """arXiv:1811.08383: an eighth of the channels comes from the frame after, another from the one before."""

    def __init__(self, inside: nn.Module, frames: int) -> None:
        super().__init__()
        self.inside, self.frames = inside, frames

    def forward(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        x = x.reshape(count // self.frames, self.frames, channels, height, width)
        eighth = channels // 8
        zeros = torch.zeros(count // self.frames, 1, eighth, height, width)
        after = torch.cat((x[:, 1:, :eighth], zeros), 1)
        before = torch.cat((zeros, x[:, :-1, eighth : 2 * eighth]), 1)
        x = torch.cat((after, before, x[:, :, 2 * eighth :]), 2).reshape(count, channels, height, width)
        return cast(Tensor, self.inside(x))


def tsm(frames: int) -> nn.Module:
    """On a ResNet-50, in every block."""
    net = models.resnet50()
    for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
        for block in stage:
            block.conv1 = Shifted(block.conv1, frames)
    return net


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Sequence[int]]] = {
    "cyclegan": (cyclegan, (1, 3, 256, 256)),
    "pix2pix": (pix2pix, (1, 3, 256, 256)),
    "superpoint": (SuperPoint, (1, 1, 240, 320)),
    "rdn_x2": (Rdn, (1, 3, 114, 114)),
    "rcan_x2": (rcan, (1, 3, 256, 256)),
    "adnet": (Adnet, (1, 1, 321, 481)),
    "erfnet": (erfnet, (1, 3, 512, 1024)),
    "lightweight_openpose": (LightPose, (1, 3, 368, 640)),
    "ultra_fast_lane_detection": (Lanes, (1, 3, 288, 800)),
    "reid_strong_baseline": (lambda: with_head(resnet50_body(last_stride=1), 2048, 751), (1, 3, 256, 128)),
    "deepmar": (lambda: with_head(resnet50_body(), 2048, 35), (1, 3, 224, 224)),
    "rootnet": (RootNet, (1, 3, 256, 256)),
    "ssd_mobilenet_v1": (ssd_mobilenet_v1, (1, 3, 300, 300)),
    "ssd_mobilenet_v2": (ssd_mobilenet_v2, (1, 3, 300, 300)),
    "craft": (Craft, (1, 3, 640, 640)),
    "tsm": (lambda: tsm(8), (8, 3, 224, 224)),
    "tsn": (lambda: with_head(resnet50_body(), 2048, 101), (1, 3, 256, 256)),
}
"""What makes each, and the shape of its input; ``tsn`` of one frame only."""
