"""What a model answered, by task: frozen records with one canonical JSON form.

Numbers are rounded so that the same model on another runtime usually gives the same text: scores to 3 decimals,
coordinates to 0.1 pixel, embedding and tensor values to 4 significant digits of their largest.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.contracts.runs import Indices, coco_counts, lengths_by_class, pack, unpack
from edgekit.contracts.types import Tensor

_SHOWN_VALUES = 8


class Prediction(ABC):
    """The answer to one sample; one of the subclasses below."""

    __slots__ = ()

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """The rounded answer as JSON types."""

    def to_json(self) -> str:
        """One line: keys sorted, no spaces, rounded; the same for the same answer."""
        return json.dumps(
            self.facts(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )


@dataclass(frozen=True, slots=True)
class ScoredLabel:
    index: int
    label: str
    score: float

    def facts(self) -> dict[str, Any]:
        return {"index": self.index, "label": self.label, "score": _score(self.score)}


@dataclass(frozen=True, slots=True)
class Classes(Prediction):
    """The best classes, best first."""

    top: tuple[ScoredLabel, ...]

    def facts(self) -> dict[str, Any]:
        return {"classes": [item.facts() for item in self.top]}


@dataclass(frozen=True, slots=True)
class Embedding(Prediction):
    vector: tuple[float, ...]

    def facts(self) -> dict[str, Any]:
        return {"embedding": _rounded(np.asarray(self.vector))}


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A point of a body on the original image or beyond its edge, in pixels; ``score``: whether it can be seen."""

    name: str
    x: float
    y: float
    score: float

    @property
    def seen(self) -> bool:
        return self.score >= SEEN


SEEN = 0.5
"""MediaPipe's drawing_utils leaves out points whose visibility or presence is below it."""


@dataclass(frozen=True, slots=True)
class Pose:
    """One body; points hidden or outside the picture are guesses of low score."""

    points: tuple[Keypoint, ...]
    score: float
    skeleton: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names of points that a line connects."""

    def bones(self) -> list[tuple[Keypoint, Keypoint]]:
        """The lines whose ends are both seen."""
        seen = {point.name: point for point in self.points if point.seen}
        return [(seen[a], seen[b]) for a, b in self.skeleton if a in seen and b in seen]

    def facts(self) -> dict[str, Any]:
        points = {
            point.name: [_pixel(point.x), _pixel(point.y), _score(point.score)] for point in self.points
        }
        return {"score": _score(self.score), "keypoints": points}


@dataclass(frozen=True, slots=True)
class Poses(Prediction):
    """Best first."""

    poses: tuple[Pose, ...]

    def facts(self) -> dict[str, Any]:
        return {"poses": [pose.facts() for pose in self.poses]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An axis-aligned box on the original image, edge coordinates in pixels; ``points``: BlazeFace's six."""

    index: int
    label: str
    score: float
    left: float
    top: float
    right: float
    bottom: float
    points: tuple[tuple[float, float], ...] = ()
    pose: Pose | None = None
    """Of the person in it, where a second bundle has been asked."""

    def facts(self) -> dict[str, Any]:
        corners = [_pixel(side) for side in (self.left, self.top, self.right, self.bottom)]
        facts = {"index": self.index, "label": self.label, "score": _score(self.score), "box": corners}
        points = {"points": [[_pixel(x), _pixel(y)] for x, y in self.points]} if self.points else {}
        return facts | points | ({"pose": self.pose.facts()} if self.pose else {})


@dataclass(frozen=True, slots=True)
class Boxes(Prediction):
    """Best first."""

    boxes: tuple[Box, ...]

    def facts(self) -> dict[str, Any]:
        return {"boxes": [box.facts() for box in self.boxes]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask(Prediction):
    """The class of each pixel of the original image, kept as runs: a photograph's mask is a few kilobytes."""

    size_hw: tuple[int, int]
    labels: tuple[str, ...]
    background: int | None
    """Index of the class that is no thing, if there is one."""
    runs: bytes
    """See :mod:`edgekit.contracts.runs`."""

    @classmethod
    def of(cls, columns: Indices, labels: tuple[str, ...], background: int | None = None) -> Mask:
        """From the index of each pixel's class, [width, height]; -1 where none is known."""
        return cls(
            size_hw=(columns.shape[1], columns.shape[0]),
            labels=labels,
            background=background,
            runs=pack(columns),
        )

    @property
    def indices(self) -> Indices:
        """Of each pixel's class, [height, width]; -1 where none is known."""
        return np.ascontiguousarray(unpack(self.runs, (self.size_hw[1], self.size_hw[0])).T)

    @property
    def shares(self) -> dict[int, float]:
        """Share of the image's pixels, by the index of each class that is there, without the background."""
        pixels = self.size_hw[0] * self.size_hw[1]
        found = lengths_by_class(self.runs)
        return {
            index: count / pixels for index, count in found.items() if index >= 0 and index != self.background
        }

    def facts(self) -> dict[str, Any]:
        """``size`` and ``counts`` of each segment are what COCO's tools read as a mask."""
        return {
            "segments": [
                {
                    "index": index,
                    "label": self.labels[index],
                    "share": round(share, 4),
                    "size": list(self.size_hw),
                    "counts": coco_counts(self.runs, index),
                }
                for index, share in self.shares.items()
            ]
        }


@dataclass(frozen=True, slots=True)
class TextRegion:
    """A rotated box on the original image: corners clockwise from the top left, in reading direction."""

    corners: tuple[tuple[float, float], ...]
    score: float
    text: Text | None = None
    """What stands there, where it has been read."""

    def facts(self) -> dict[str, Any]:
        facts = {"corners": [[_pixel(x), _pixel(y)] for x, y in self.corners], "score": _score(self.score)}
        return facts | ({"text": self.text.text, "text_score": _score(self.text.score)} if self.text else {})


@dataclass(frozen=True, slots=True)
class TextRegions(Prediction):
    """From top to bottom, then left to right."""

    regions: tuple[TextRegion, ...]

    def facts(self) -> dict[str, Any]:
        return {"regions": [region.facts() for region in self.regions]}


@dataclass(frozen=True, slots=True)
class Text(Prediction):
    """A read text; ``score`` is the mean probability of its characters, 0 where there is none."""

    text: str
    score: float

    def facts(self) -> dict[str, Any]:
        return {"text": self.text, "score": _score(self.score)}


@dataclass(frozen=True, slots=True, eq=False)
class Tensors(Prediction):
    """Outputs nobody knows how to read, by name. Their JSON form is a summary."""

    values: dict[str, Tensor]

    def facts(self) -> dict[str, Any]:
        return {"tensors": {name: _summary(value) for name, value in self.values.items()}}


def _score(value: float) -> float:
    return round(float(value), 3)


def _pixel(value: float) -> float:
    return round(float(value), 1) + 0.0  # + 0.0: no -0.0


def _summary(array: Tensor) -> dict[str, Any]:
    numbers = array.astype(np.float64).ravel()
    summary: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
    if numbers.size:
        statistics = np.array([numbers.min(), numbers.max(), numbers.mean()])
        summary |= zip(("min", "max", "mean"), _rounded(statistics), strict=True)
    return summary | {"first": _rounded(numbers[:_SHOWN_VALUES])}


def _rounded(numbers: npt.NDArray[np.float64]) -> list[float | str]:
    """To 4 significant digits of the largest one; what is not finite as text, since JSON has no word for it."""
    largest = max((abs(value) for value in numbers.tolist() if math.isfinite(value)), default=0.0)
    digits = 3 - math.floor(math.log10(largest)) if largest > 0 else 0
    return [round(value, digits) + 0.0 if math.isfinite(value) else str(value) for value in numbers.tolist()]
