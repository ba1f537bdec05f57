"""Bundles at work on frames: sources, a pipeline that keeps up with them, and where the answers go.

The module itself can be called: ``for seen in edgekit.camera(bundle, source)``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.camera.pipeline import Result


def camera(
    bundle: str | Path,
    source: str | int,
    *,
    track: bool = False,
    scene: str | Path | None = None,
    then: str | Path | None = None,
    then_most: int | None = None,
    then_enlarge: float | None = None,
    redact: str | None = None,
    redact_with: str | Path | None = None,
    realtime: bool = False,
    frames: int | None = None,
    threads: int = 1,
    inferences: int | None = None,
    timeout_s: float = 10.0,
) -> Iterator[Result]:
    """Answer the frames of a source with a bundle, one after the other, each with ``frame`` and ``prediction``.

    ``source``: a camera's number or ``/dev/videoN``, an ``rtsp://`` or ``http://`` address, a video file, a folder of
    images, or ``synthetic:WIDTHxHEIGHT@FPS``. Of what is live, frames that are not asked for in time are dropped,
    so that the next one is always the newest; of files, every frame comes unless they play in ``realtime``.

    ``track``: number what is found from one frame to the next; ``scene``: a file of lines and zones, for which that is
    done too. ``then``: a bundle that is asked of each thing that ``bundle`` finds, of the ``then_most`` largest on a
    frame: text recognition of regions of text, pose estimation of people, whose squares have ``then_enlarge`` longer
    sides of their boxes. ``redact``: cover ``"faces"``, ``"people"`` or ``"faces,people"`` on every frame before it
    comes out; ``redact_with``: a bundle that finds them where the first does not. ``frames``: end after so many have
    been captured. ``inferences``: at a time, each on ``threads``; None: as many as there are processors for. Raises
    EdgekitError; leaving the loop ends the threads.

    >>> import edgekit
    >>> for seen in edgekit.camera("out/blazeface-host.edgekit", 0):
    ...     print(seen.frame.index, seen.prediction.to_json())
    """
    # OpenCV and the runtime are imported when frames are wanted
    from edgekit.camera.opening import open_source
    from edgekit.camera.work import OpenWork, Work

    work = Work(
        bundle=Path(bundle),
        threads=threads,
        inferences=inferences,
        track=track,
        scene=Path(scene) if scene else None,
        then=Path(then) if then else None,
        then_most=then_most,
        then_enlarge=then_enlarge,
        redact=redact,
        redact_with=Path(redact_with) if redact_with else None,
    )
    opened = OpenWork(work)
    return iter(
        opened.pipeline(open_source(str(source), realtime=realtime, timeout_s=timeout_s), frames=frames)
    )


class _Callable(ModuleType):
    """A room of the engine and the function of its name: ``edgekit.camera`` is both."""

    __call__ = staticmethod(camera)


sys.modules[__name__].__class__ = _Callable
