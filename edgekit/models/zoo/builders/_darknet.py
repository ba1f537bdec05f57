"""Darknet's files: the .cfg is the graph, the .weights its numbers in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgekit.errors import ModelError
from edgekit.models.zoo.builders._graph import Array, BatchNorm, Graph, fold_batch_norm

EPSILON = 1e-6  # what Darknet adds to the deviation; to the variance it is near enough for float32
SLOPE = 0.1  # of its leaky activation


class Section(NamedTuple):
    """One ``[kind]`` of a .cfg with its settings."""

    kind: str
    settings: Mapping[str, str]

    def number(self, key: str, default: int = 0) -> int:
        return int(self.settings.get(key, default))


def read_cfg(path: Path) -> list[Section]:
    """The sections in order."""
    sections: list[tuple[str, dict[str, str]]] = []
    for line in (raw.split("#")[0].strip() for raw in path.read_text().splitlines()):
        if line.startswith("["):
            sections.append((line.strip("[]"), {}))
        elif line:
            key, _, value = line.partition("=")
            sections[-1][1][key.strip()] = value.strip()
    return [Section(kind, settings) for kind, settings in sections]


def read_weights(path: Path) -> Array:
    """The numbers after the header: three int32 of version, then images seen as int64 (int32 before 0.2)."""
    raw = path.read_bytes()
    major, minor, _ = np.frombuffer(raw, "<i4", 3)
    return np.frombuffer(raw, "<f4", offset=12 + (8 if major * 10 + minor >= 2 else 4))


class Tensor(NamedTuple):
    """An output in the graph, and its channels."""

    name: str
    channels: int


@dataclass(slots=True)
class Network:
    """Turns sections into nodes; ``heads`` are the inputs of the [yolo] sections."""

    graph: Graph
    values: Array
    used: int = 0
    layers: list[Tensor] = field(default_factory=list)
    heads: list[Tensor] = field(default_factory=list)

    def add(self, section: Section, x: Tensor) -> Tensor:
        """Add one section behind ``x``; ModelError where its kind is not known."""
        name = f"{len(self.layers)}_{section.kind}"
        match section.kind:
            case "convolutional":
                y = self._convolution(section, x, name)
            case "maxpool":
                y = self._pool(section, x, name)
            case "upsample":
                y = self._upsample(section, x, name)
            case "route":
                y = self._route(section, name)
            case "yolo":
                y = x
                self.heads.append(x)
            case _:
                raise ModelError(f"Darknet section [{section.kind}] is not known here")
        self.layers.append(y)
        return y

    def finish(self) -> None:
        """ModelError where the weights are more than the network has."""
        if self.used != len(self.values):
            raise ModelError(
                f"the .weights file has {len(self.values) - self.used} numbers more than its network"
            )

    def _take(self, *shape: int) -> Array:
        count = int(np.prod(shape))
        part = self.values[self.used : self.used + count]
        if len(part) != count:
            raise ModelError("the .weights file ends before its network does")
        self.used += count
        return part.reshape(shape)

    def _convolution(self, section: Section, x: Tensor, name: str) -> Tensor:
        filters, kernel = section.number("filters"), section.number("size")
        bias = self._take(filters)
        # gamma, mean, variance; the bias that stands before them is beta
        norm = [self._take(filters) for _ in range(3)] if section.number("batch_normalize") else None
        weight = self._take(filters, x.channels, kernel, kernel)
        if norm:
            weight, bias = fold_batch_norm(weight, BatchNorm(norm[0], bias, norm[1], norm[2], EPSILON))
        inputs = [
            x.name,
            self.graph.weight(f"{name}.weight", weight),
            self.graph.weight(f"{name}.bias", bias),
        ]
        pads, strides = [kernel // 2] * 4, [section.number("stride", 1)] * 2
        y = self.graph.node("Conv", name, inputs, kernel_shape=[kernel] * 2, pads=pads, strides=strides)
        if section.settings["activation"] == "leaky":
            y = self.graph.node("LeakyRelu", f"{name}.leaky", [y], alpha=SLOPE)
        return Tensor(y, filters)

    def _pool(self, section: Section, x: Tensor, name: str) -> Tensor:
        size, stride = section.number("size"), section.number("stride")
        # Darknet pads size - 1 in all, more of it at the end: 2x2 with stride 1 keeps its size
        pads = [0, 0, size - 1, size - 1] if stride == 1 else [0, 0, 0, 0]
        y = self.graph.node(
            "MaxPool", name, [x.name], kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads
        )
        return Tensor(y, x.channels)

    def _upsample(self, section: Section, x: Tensor, name: str) -> Tensor:
        factor = section.number("stride")
        scales = self.graph.weight(f"{name}.scales", np.array([1, 1, factor, factor], np.float32))
        modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return Tensor(self.graph.node("Resize", name, [x.name, "", scales], **modes), x.channels)

    def _route(self, section: Section, name: str) -> Tensor:
        numbers = [int(number) for number in section.settings["layers"].split(",")]
        sources = [self.layers[number] for number in numbers]  # a negative one counts from here
        if len(sources) == 1:
            return sources[0]
        y = self.graph.node("Concat", name, [source.name for source in sources], axis=1)
        return Tensor(y, sum(source.channels for source in sources))
