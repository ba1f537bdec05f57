"""Cover faces and people on a frame before anybody else gets it: which detectors find them, and with what care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.camera.answering import Answerer, open_bundle
from edgekit.camera.covering import Area, Memory, cover
from edgekit.camera.frames import Frame
from edgekit.contracts import Boxes, Geometry, LoadedContract, Pose, Poses, Prediction, Tensor
from edgekit.contracts.schema import BoxesOutput
from edgekit.errors import CameraError


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be covered."""

    label: str
    """Of a detector's boxes."""
    margin: float
    """Of the box's sides, on each: face boxes leave out hair, ears and chin, those of small people half of them."""


KINDS = {"faces": Kind("face", 0.3), "people": Kind("person", 0.5)}
DOUBT = 0.5
"""Of the contract's score threshold: to cover too much is the smaller mistake."""


@dataclass(frozen=True, slots=True)
class _Detector:
    contracts: Mapping[Answerer, LoadedContract]
    """Of the bundles that may have answered, with doubts."""
    kinds: tuple[Kind, ...]
    answerer: Answerer | None
    """None: a bundle that answers the frames anyhow."""

    def areas(
        self, frame: Frame, answerer: Answerer, outputs: dict[str, Tensor], geometry: Geometry | None
    ) -> list[Area]:
        """What is found on a frame, with its margin; ``answerer`` answered it with ``outputs``."""
        if self.answerer:
            encoded = self.answerer.prepare(frame.image)
            answerer, outputs, geometry = self.answerer, self.answerer.infer(encoded), encoded.meta
        found = self.contracts[answerer].decode(outputs, geometry)
        assert isinstance(found, Boxes)
        margins = {kind.label: kind.margin for kind in self.kinds}
        return [
            Area(box.label, box.left, box.top, box.right, box.bottom).grown(margins[box.label])
            for box in found.boxes
            if box.label in margins
        ]


@dataclass(frozen=True, slots=True)
class Detectors:
    """Those that together find all ``kinds``; several cameras may share them."""

    kinds: tuple[str, ...]
    each: tuple[_Detector, ...]


class Redactor:
    """Covers one frame after the other; not for several threads."""

    def __init__(self, detectors: Detectors) -> None:
        self._kinds, self._detectors = detectors.kinds, detectors.each
        self._memory = Memory()
        self._covered = self._held = 0

    def facts(self) -> dict[str, Any]:
        """``kinds``; ``covered``: areas of all frames; ``held``: those among them that were found on earlier ones."""
        return {"kinds": list(self._kinds), "covered": self._covered, "held": self._held}

    def redact(
        self,
        frame: Frame,
        answerer: Answerer,
        outputs: dict[str, Tensor],
        geometry: Geometry | None,
        prediction: Prediction,
    ) -> Prediction:
        """Cover the frame's own image; return the answer without the points of faces, which measure them, and without
        those points of poses that are covered.

        EdgekitError where a detector does not answer: the frame must then not be passed on.
        """
        found = [
            area
            for detector in self._detectors
            for area in detector.areas(frame, answerer, outputs, geometry)
        ]
        areas = self._memory.update(found, frame.time_ms / 1000)
        cover(frame.image, areas)
        self._covered += len(areas)
        self._held += len(areas) - len(found)
        return _without_points(prediction, areas)


def _without_points(prediction: Prediction, areas: Sequence[Area]) -> Prediction:
    match prediction:
        case Boxes(boxes):
            poses = [box.pose and _uncovered(box.pose, areas) for box in boxes]
            return Boxes(
                tuple(replace(box, points=(), pose=pose) for box, pose in zip(boxes, poses, strict=True))
            )
        case Poses(bodies):
            return Poses(tuple(pose for body in bodies if (pose := _uncovered(body, areas))))
    return prediction


def _uncovered(pose: Pose, areas: Sequence[Area]) -> Pose | None:
    """With the points outside of ``areas``; None where there are none."""
    points = tuple(point for point in pose.points if not any(area.holds(point.x, point.y) for area in areas))
    return replace(pose, points=points) if points else None


def open_detectors(
    answerers: Sequence[Answerer], redact: str | None, *, with_bundle: Path | None, threads: int
) -> Detectors | None:
    """Who finds what ``redact`` names, KINDS with commas between; None where it is None.

    That are the bundles of ``answerers``, which have the same labels, and the bundle ``with_bundle``. CameraError where
    none finds one of them.
    """
    if redact is None:
        if with_bundle:
            raise CameraError(f"{with_bundle}: finds what is to be covered; say what: --redact faces")
        return None
    kinds = sorted({kind.strip() for kind in redact.split(",")})
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise CameraError(
            f"--redact {redact}: '{unknown[0]}' cannot be covered; there are: {', '.join(KINDS)}"
        )
    detectors = [_detector(answerers, kinds, own=True)]
    if with_bundle:
        detectors.append(_detector([open_bundle(with_bundle, threads=threads)], kinds, own=False))
    for kind in kinds:
        if not any(KINDS[kind] in detector.kinds for detector in detectors):
            raise CameraError(
                f"{with_bundle or answerers[0].bundle.path}: finds no {kind}; name a bundle that does (a label "
                f"'{KINDS[kind].label}'): --redact-with BUNDLE"
            )
    return Detectors(tuple(kinds), tuple(detector for detector in detectors if detector.kinds))


def _detector(answerers: Sequence[Answerer], kinds: Sequence[str], *, own: bool) -> _Detector:
    contracts = {
        answerer: _doubtful(answerer.contract, answerer.contract.schema.output)
        for answerer in answerers
        if isinstance(answerer.contract.schema.output, BoxesOutput)
    }
    labels = answerers[0].contract.labels if contracts else ()
    found = tuple(KINDS[kind] for kind in kinds if KINDS[kind].label in labels)
    return _Detector(contracts, found, None if own else answerers[0])


def _doubtful(contract: LoadedContract, output: BoxesOutput) -> LoadedContract:
    """The contract with a lower threshold."""
    doubtful = output.model_copy(update={"score_threshold": DOUBT * output.score_threshold})
    return replace(contract, schema=contract.schema.model_copy(update={"output": doubtful}))
