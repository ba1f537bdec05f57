"""What is to be done with each frame: as the user asks for it, and opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from edgekit.camera.analysis import Analyst, check_followed
from edgekit.camera.answering import Answerer, fitting_inferences, open_bundle
from edgekit.camera.degrading import Degrading
from edgekit.camera.frames import Source
from edgekit.camera.ladder import NO_LIMITS, Limits
from edgekit.camera.pipeline import Pipeline
from edgekit.camera.redaction import Redactor, open_detectors
from edgekit.camera.scene import Scene, read_scene
from edgekit.camera.second import Second, SecondStage, open_second
from edgekit.camera.tracking import check_tracking
from edgekit.errors import CameraError


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything but where frames come from and answers go."""

    bundle: Path
    threads: int = 1
    inferences: int | None = None
    """Of each bundle at once; None: as there are processors for."""
    track: bool = False
    """Follow what is found from frame to frame."""
    scene: Path | None = None
    """File of lines and zones, for which it is followed too."""
    then: Path | None = None
    """Bundle that is asked of each thing that ``bundle`` finds: what a text says, how a person stands."""
    then_most: int | None = None
    """Of so many things on a frame, the largest; None: as its task has it."""
    then_enlarge: float | None = None
    """Side of the square that is cut out, in longer sides of the box; None: as its task has it."""
    redact: str | None = None
    """"faces", "people" or "faces,people" are covered on every frame."""
    redact_with: Path | None = None
    """Bundle that finds them where ``bundle`` does not."""
    limits: Limits = NO_LIMITS
    """Beyond them the bundles ``degrade_to`` answer, one after the other, then fewer frames are answered."""
    degrade_to: tuple[Path, ...] = ()
    rung: int | None = None
    """Pins one of these ways, 0 is ``bundle`` itself."""

    @property
    def degrades(self) -> bool:
        return bool(self.degrade_to) or self.rung is not None or self.limits != NO_LIMITS


class Opening(TypedDict):
    """How each bundle is opened."""

    threads: int
    inferences: int


class OpenWork:
    """Bundles and files of a :class:`Work`, open and checked; several pipelines may share them."""

    def __init__(self, work: Work) -> None:
        """EdgekitError with what is wrong, what takes no time to find out first."""
        self._follows = work.track or work.scene is not None
        self._scene: Scene | None = read_scene(work.scene) if work.scene else None
        if self._follows:
            check_tracking()
        self._work = work
        inferences = work.inferences or fitting_inferences(work.threads)
        self._opening = Opening(threads=work.threads, inferences=inferences)
        self.answerer = open_bundle(work.bundle, **self._opening)
        if self._follows:
            check_followed(self.answerer)
        self._second = self._open_second()
        self._others = [open_bundle(path, **self._opening) for path in work.degrade_to]
        self._detectors = open_detectors(
            [self.answerer, *self._others], work.redact, with_bundle=work.redact_with, **self._opening
        )

    def pipeline(
        self,
        source: Source,
        *,
        frames: int | None = None,
        camera: str | None = None,
        told: Callable[[str], None] = lambda _: None,
    ) -> Pipeline:
        """For one source, called ``camera`` among several; ``told`` hears when it does less or more.

        CameraError where the source cannot have it.
        """
        return Pipeline(
            self.answerer,
            source,
            frames=frames,
            analyst=Analyst(self._scene) if self._follows else None,
            second=SecondStage(self._second) if self._second else None,
            redactor=Redactor(self._detectors) if self._detectors else None,
            camera=camera,
            degrading=self._degrading(source, told) if self._work.degrades else None,
        )

    def _open_second(self) -> Second | None:
        work = self._work
        if work.then is not None:
            return open_second(
                self.answerer,
                work.then,
                most=work.then_most,
                enlarge=work.then_enlarge,
                **self._opening,
            )
        if work.then_most is not None or work.then_enlarge is not None:
            raise CameraError(
                "--then-most and --then-enlarge are about a second bundle; name it: --then BUNDLE"
            )
        return None

    def _degrading(self, source: Source, told: Callable[[str], None]) -> Degrading:
        if not source.live:
            raise CameraError(
                f"{source.name}: of a file every frame is answered; doing less goes with --realtime, or what is live"
            )
        answerers: list[Answerer] = [self.answerer, *self._others]
        return Degrading(answerers, self._work.limits, pinned=self._work.rung, told=told)
