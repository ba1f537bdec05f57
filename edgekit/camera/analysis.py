"""Frames taken together: who is who from one to the next, and what happens at the lines and zones of a scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.camera.answering import FOLLOWED_TASKS, Answerer
from edgekit.camera.frames import Frame
from edgekit.camera.happenings import Happening, SceneWatch
from edgekit.camera.scene import Scene
from edgekit.camera.tracking import Tracker
from edgekit.contracts import Boxes, Prediction
from edgekit.errors import CameraError

Counts = Mapping[str, Mapping[str, int]]
"""Of each line and zone, as :meth:`SceneWatch.counts` gives them."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a frame adds to those before it."""

    tracks: tuple[int | None, ...]
    """The number of each box's track; None of what was seen once only."""
    happenings: tuple[Happening, ...]
    scene: Scene | None
    counts: Counts
    """Of its lines and zones, since the first frame."""


class Analyst:
    """Looks at one frame after the other; not for several threads."""

    def __init__(self, scene: Scene | None = None) -> None:
        """CameraError where the package that tracks is missing."""
        self.scene = scene
        """Another may be put here at any time, from any thread: it holds from the next frame on."""
        self._tracker = Tracker()
        self._watch = SceneWatch(scene) if scene else None

    def counts(self) -> dict[str, dict[str, int]]:
        return self._watch.counts() if self._watch else {}

    def analyse(self, frame: Frame, prediction: Prediction) -> Analysis:
        boxes = prediction.boxes if isinstance(prediction, Boxes) else ()
        time_s = frame.time_ms / 1000
        tracks = self._tracker.numbers(boxes, time_s)
        scene = self.scene
        if scene is None:
            return Analysis(tracks, (), None, {})
        if self._watch is None or self._watch.scene is not scene:
            self._watch = SceneWatch(scene, before=self._watch)
        height, width = frame.image.shape[:2]
        known = [(track, box) for track, box in zip(tracks, boxes, strict=True) if track is not None]
        happenings = self._watch.update(known, (width, height), time_s)
        return Analysis(tracks, happenings, scene, self._watch.counts())


def check_followed(answerer: Answerer) -> None:
    """CameraError where the bundle finds nothing that could be followed."""
    if (task := answerer.contract.schema.task) not in FOLLOWED_TASKS:
        raise CameraError(
            f"{answerer.bundle.path}: a bundle of task '{task}' finds nothing to follow; --track and --scene take: "
            f"{', '.join(FOLLOWED_TASKS)}"
        )
