"""What a second bundle is asked about: each of the things that the first one finds, by the task of the second."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from edgekit.contracts import LoadedContract, Prediction
from edgekit.contracts.types import Image

Ask = Callable[[Image], Prediction]
"""The second bundle's answer to a picture."""


class Asking(Protocol):
    """How things are cut out of a frame for the second bundle, and where its answers go; keeps nothing of a frame."""

    @property
    def finds(self) -> str:
        """What the first bundle must find, for messages."""

    @property
    def most(self) -> int | None:
        """Things asked about on a frame, unless the user says otherwise; None: all."""

    @staticmethod
    def goes_with(first: LoadedContract) -> bool:
        """Whether that bundle finds them."""

    def areas(self, found: Prediction) -> list[float | None]:
        """Of each thing on a frame, in square pixels; None of one that is not asked about."""

    def with_answers(self, image: Image, found: Prediction, which: Collection[int], ask: Ask) -> Prediction:
        """``found`` with what ``ask`` says of the things ``which``, in the frame's pixels."""
