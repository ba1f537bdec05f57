"""Two stages: what one bundle finds, largest first, is asked of another, in post-processing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.camera.answering import Answerer, open_bundle
from edgekit.camera.asking import Asking
from edgekit.camera.posing import Posing
from edgekit.camera.reading import Reading
from edgekit.contracts import LoadedContract, Prediction
from edgekit.contracts.types import Image
from edgekit.errors import CameraError

ASKINGS: dict[str, Callable[[LoadedContract, float | None], Asking]] = {
    "text-recognition": Reading,
    "pose-estimation": Posing,
}
"""By the task of the second bundle, made from its contract and how much larger than a thing is what is cut out."""


@dataclass(frozen=True, slots=True)
class Second:
    """A second bundle, open; several cameras may share it."""

    answerer: Answerer
    asking: Asking
    most: int | None
    """Things asked about on a frame; None: all."""


class SecondStage:
    """Asks about the things on a frame; of several frames at once, if need be."""

    def __init__(self, second: Second) -> None:
        self._second = second
        self._asked = self._left_out = 0
        self._counting = threading.Lock()

    def facts(self) -> dict[str, Any]:
        """``asked``: things that the second bundle was asked about; ``left_out``: those beyond ``most`` on a frame."""
        answerer = self._second.answerer
        return {
            "bundle": str(answerer.bundle.path),
            "task": answerer.contract.schema.task,
            "most": self._second.most,
            "asked": self._asked,
            "left_out": self._left_out,
        }

    def answer(self, image: Image, found: Prediction) -> Prediction:
        """``found`` with the second bundle's answers, coordinates in pixels of ``image``. EdgekitError where it fails."""
        second = self._second
        areas = [(area, -index) for index, area in enumerate(second.asking.areas(found)) if area]
        # of two that are equally large the first, which is the better one
        chosen = {-place for _, place in sorted(areas, reverse=True)[: second.most]}
        with self._counting:
            self._asked += len(chosen)
            self._left_out += len(areas) - len(chosen)
        return second.asking.with_answers(image, found, chosen, second.answerer.answer) if chosen else found


def open_second(
    first: Answerer,
    path: Path,
    *,
    most: int | None = None,
    enlarge: float | None = None,
    threads: int,
    inferences: int = 1,
) -> Second:
    """Open the bundle that is asked of what ``first`` finds; ``most``: things on a frame, ``enlarge``: longer sides of a
    box that the square around it has. None: as its task has it.

    CameraError where ``first`` finds none of them, BundleError where there is no asking of its task.
    """
    answerer = open_bundle(path, threads=threads, inferences=inferences, tasks=tuple(ASKINGS))
    asking = ASKINGS[answerer.contract.schema.task](answerer.contract, enlarge)
    if not asking.goes_with(first.contract):
        raise CameraError(
            f"{first.bundle.path}: a bundle of task '{first.contract.schema.task}' finds nothing for {path}, which "
            f"goes with: {asking.finds}"
        )
    return Second(answerer, asking, asking.most if most is None else most)
