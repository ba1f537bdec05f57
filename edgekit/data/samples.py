"""A data set as a sequence of samples that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from edgekit.contracts.predictions import Box, Mask
from edgekit.contracts.types import Raw
from edgekit.errors import DataError

Label = str | tuple[Box, ...] | Mask
"""A class name or a text; for detectors the boxes that are there, for segmentation the class of each pixel."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One raw sample, not yet read."""

    id: str
    """File name relative to the data set, or its line number."""
    loader: Callable[[], Raw]
    label: Label | None = None

    def load(self) -> Raw:
        """Read it; DataError names the file where that fails."""
        return self.loader()


@dataclass(frozen=True, slots=True)
class Samples(Sequence[Sample]):
    """Samples in a fixed order, that of their names or lines."""

    name: str
    """Name of the folder or file, without its path."""
    items: tuple[Sample, ...]

    @property
    def labelled(self) -> bool:
        """Whether accuracy can be measured: there are samples, and all have a label."""
        return bool(self.items) and all(item.label is not None for item in self.items)

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels in order; use it where ``labelled``."""
        return tuple(item.label for item in self.items if item.label is not None)

    def subset(self, limit: int | None) -> Samples:
        """At most ``limit`` samples spread evenly over all, over the classes in proportion; always the same ones."""
        if limit is not None and limit < 1:
            raise DataError(f"{self.name}: {limit} samples asked for; take at least 1")
        if limit is None or limit >= len(self.items):
            return self
        # one from the middle of each of `limit` equal stretches of the samples sorted by class
        by_class = sorted(range(len(self.items)), key=lambda i: (_class_of(self.items[i]), i))
        chosen = sorted(by_class[(2 * i + 1) * len(by_class) // (2 * limit)] for i in range(limit))
        return Samples(self.name, tuple(self.items[i] for i in chosen))

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Samples: ...
    def __getitem__(self, index: int | slice) -> Sample | Samples:
        return Samples(self.name, self.items[index]) if isinstance(index, slice) else self.items[index]


def _class_of(sample: Sample) -> str:
    return sample.label if isinstance(sample.label, str) else ""


def listing(where: object, problems: Sequence[str], what: str) -> DataError:
    """One error for all ``problems``: how many, and the first five."""
    shown = "".join(f"\n  {problem}" for problem in problems[:5])
    more = f"\n  and {len(problems) - 5} more" if len(problems) > 5 else ""
    return DataError(f"{where}: {len(problems)} {what}:{shown}{more}")
