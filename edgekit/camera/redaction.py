"""Cover faces and people on a frame before anybody else gets it: which detectors find them, and with what care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.camera.answering import Answerer, open_bundle
from edgekit.camera.covering import Area, Memory, cover
from edgekit.camera.frames import Frame
from edgekit.camera.mask_covering import MaskMemory, Pixels, cover_pixels, covered_pixels
from edgekit.contracts import Boxes, Geometry, Keypoint, LoadedContract, Mask, Pose, Poses, Prediction, Tensor
from edgekit.contracts.schema import BoxesOutput, IndexMapOutput, MaskOutput
from edgekit.errors import CameraError


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be covered."""

    label: str
    """Of a detector's boxes, or of a class of pixels."""
    margin: float
    """Of a box's sides, on each: face boxes leave out hair, ears and chin, those of people hands and feet."""


KINDS = {"faces": Kind("face", 0.3), "people": Kind("person", 0.3)}
DOUBT = 0.5
"""Of the contract's score threshold: to cover too much is the smaller mistake."""


@dataclass(frozen=True, slots=True)
class _Detector:
    contracts: Mapping[Answerer, LoadedContract]
    """Of the bundles that may have answered, with doubts."""
    kinds: tuple[Kind, ...]
    answerer: Answerer | None
    """None: a bundle that answers the frames anyhow."""

    def find(
        self, frame: Frame, answerer: Answerer, outputs: dict[str, Tensor], geometry: Geometry | None
    ) -> Prediction:
        """What is found on a frame; ``answerer`` answered it with ``outputs``."""
        if self.answerer:
            encoded = self.answerer.prepare(frame.image)
            answerer, outputs, geometry = self.answerer, self.answerer.infer(encoded), encoded.meta
        return self.contracts[answerer].decode(outputs, geometry)

    def areas(self, found: Boxes) -> list[Area]:
        """With their margin."""
        margins = {kind.label: kind.margin for kind in self.kinds}
        return [
            Area(box.label, box.left, box.top, box.right, box.bottom).grown(margins[box.label])
            for box in found.boxes
            if box.label in margins
        ]

    def pixels(self, found: Mask) -> Pixels:
        """With their margin."""
        return covered_pixels(found, frozenset(kind.label for kind in self.kinds))


@dataclass(frozen=True, slots=True)
class Detectors:
    """Those that together find all ``kinds``; several cameras may share them."""

    kinds: tuple[str, ...]
    each: tuple[_Detector, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What detectors found on a frame, with their margins."""

    areas: tuple[Area, ...]
    pixels: Pixels | None
    """None: no detector says it of pixels."""


class Redactor:
    """Finds on several frames at once, if need be; covers one after the other."""

    def __init__(self, detectors: Detectors) -> None:
        self._kinds, self._detectors = detectors.kinds, detectors.each
        self._memory, self._mask_memory = Memory(), MaskMemory()
        self._covered = self._held = 0

    def facts(self) -> dict[str, Any]:
        """``kinds``; ``covered``: areas of all frames, where a frame's mask is one; ``held``: those among them that were
        found on earlier ones.
        """
        return {"kinds": list(self._kinds), "covered": self._covered, "held": self._held}

    def find(
        self, frame: Frame, answerer: Answerer, outputs: dict[str, Tensor], geometry: Geometry | None
    ) -> Found:
        """What is to be covered on a frame by itself; ``answerer`` answered it with ``outputs``.

        EdgekitError where a detector does not answer: the frame must then not be passed on.
        """
        areas: list[Area] = []
        masks: list[Pixels] = []
        for detector in self._detectors:
            match detector.find(frame, answerer, outputs, geometry):
                case Boxes() as found:
                    areas += detector.areas(found)
                case Mask() as found:
                    masks.append(detector.pixels(found))
                case other:  # to cover nothing without a word would be the worst of bugs
                    raise TypeError(f"{type(other).__name__} says of no place that it could be covered")
        return Found(tuple(areas), np.logical_or.reduce(masks) if masks else None)

    def cover(self, frame: Frame, found: Found, prediction: Prediction) -> Prediction:
        """Cover the frame's own image, with what frames before it add; return the answer without the points of faces,
        which measure them, and without those points of poses that are covered.
        """
        covered = self._cover_areas(frame, found.areas)
        pixels = self._cover_pixels(frame, found.pixels) if found.pixels is not None else None
        return _without_points(prediction, covered, pixels)

    def _cover_areas(self, frame: Frame, found: Sequence[Area]) -> Sequence[Area]:
        areas = self._memory.update(found, frame.time_ms / 1000)
        cover(frame.image, areas)
        self._covered += len(areas)
        self._held += len(areas) - len(found)
        return areas

    def _cover_pixels(self, frame: Frame, found: Pixels) -> Pixels:
        pixels = self._mask_memory.update(found, frame.time_ms / 1000)
        cover_pixels(frame.image, pixels)
        self._covered += bool(pixels.any())
        self._held += bool(pixels.any() and not found.any())
        return pixels


def _without_points(prediction: Prediction, areas: Sequence[Area], pixels: Pixels | None) -> Prediction:
    match prediction:
        case Boxes(boxes):
            poses = [box.pose and _uncovered(box.pose, areas, pixels) for box in boxes]
            return Boxes(
                tuple(replace(box, points=(), pose=pose) for box, pose in zip(boxes, poses, strict=True))
            )
        case Poses(bodies):
            return Poses(tuple(pose for body in bodies if (pose := _uncovered(body, areas, pixels))))
    return prediction


def _uncovered(pose: Pose, areas: Sequence[Area], pixels: Pixels | None) -> Pose | None:
    """With the points outside of ``areas`` and ``pixels``; None where there are none."""
    points = tuple(point for point in pose.points if not _is_covered(point, areas, pixels))
    return replace(pose, points=points) if points else None


def _is_covered(point: Keypoint, areas: Sequence[Area], pixels: Pixels | None) -> bool:
    if any(area.holds(point.x, point.y) for area in areas):
        return True
    if pixels is None or not (0 <= point.y < pixels.shape[0] and 0 <= point.x < pixels.shape[1]):
        return False
    return bool(pixels[int(point.y), int(point.x)])


def open_detectors(
    answerers: Sequence[Answerer],
    redact: str | None,
    *,
    with_bundle: Path | None,
    threads: int,
    inferences: int = 1,
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
        other = open_bundle(with_bundle, threads=threads, inferences=inferences)
        detectors.append(_detector([other], kinds, own=False))
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
        if isinstance(answerer.contract.schema.output, BoxesOutput | MaskOutput | IndexMapOutput)
    }
    labels = answerers[0].contract.labels if contracts else ()
    found = tuple(KINDS[kind] for kind in kinds if KINDS[kind].label in labels)
    return _Detector(contracts, found, None if own else answerers[0])


def _doubtful(contract: LoadedContract, output: BoxesOutput | MaskOutput | IndexMapOutput) -> LoadedContract:
    """The contract with a lower threshold; where the largest of many maps counts, or indices come, there is none."""
    key = "score_threshold" if isinstance(output, BoxesOutput) else "threshold"
    threshold = getattr(output, key, None)
    if threshold is None:
        return contract
    return contract.reading(output.model_copy(update={key: DOUBT * threshold}))
