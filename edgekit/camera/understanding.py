"""What the outputs for a frame mean: decoded, asked about, covered, followed."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.camera.analysis import Analysis, Analyst
from edgekit.camera.answering import Answerer
from edgekit.camera.frames import Frame
from edgekit.camera.redaction import Found, Redactor
from edgekit.camera.second import SecondStage
from edgekit.contracts import Geometry, Prediction, Tensor


@dataclass(frozen=True, slots=True)
class Looked:
    """What a frame shows by itself."""

    prediction: Prediction
    to_cover: Found | None


class Understanding:
    """Post-processing in two parts: what is about one frame alone, and what goes on from frame to frame."""

    def __init__(
        self,
        *,
        second: SecondStage | None = None,
        redactor: Redactor | None = None,
        analyst: Analyst | None = None,
    ) -> None:
        self.second, self.redactor, self.analyst = second, redactor, analyst

    def look(
        self, frame: Frame, answerer: Answerer, outputs: dict[str, Tensor], geometry: Geometry | None
    ) -> Looked:
        """In any order, and of several frames at once; ``answerer`` answered with ``outputs``."""
        prediction = answerer.decode(outputs, geometry)
        if self.second:
            prediction = self.second.answer(frame.image, prediction)
        to_cover = self.redactor.find(frame, answerer, outputs, geometry) if self.redactor else None
        return Looked(prediction, to_cover)

    def go_on(self, frame: Frame, looked: Looked) -> tuple[Prediction, Analysis | None]:
        """In the order of the frames, one after the other."""
        prediction = looked.prediction
        if self.redactor and looked.to_cover:
            prediction = self.redactor.cover(frame, looked.to_cover, prediction)
        return prediction, self.analyst.analyse(frame, prediction) if self.analyst else None
