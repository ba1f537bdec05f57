"""What a source of frames is: a camera, a clip, a folder of images, a stream or a drawn scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edgekit.contracts.types import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture and when it was taken."""

    image: Image
    """Height x width x 3, BGR, uint8."""
    index: int
    """Counted from 0 by the source."""
    time_ms: float
    """Position in the clip; of what is live, the time since its first frame."""
    captured_s: float
    """``time.perf_counter()`` when the frame was there: its age counts from here."""


class Source(Protocol):
    """Where frames come from. ``read`` and ``close`` may be called from different threads."""

    @property
    def name(self) -> str:
        """As the user gave it."""

    @property
    def live(self) -> bool:
        """Frames come when they come; those that nobody takes are lost."""

    @property
    def rate_fps(self) -> float | None:
        """Frames a second, as far as the source says."""

    @property
    def patience_s(self) -> float | None:
        """Longest time that ``read`` may take, with its own attempts to connect again; None: as long as it likes."""

    @property
    def gaps(self) -> tuple[float, ...]:
        """Seconds of each interruption after which frames came again."""

    def read(self) -> Frame | None:
        """The next frame, None after the last one; CameraError where there is none to be had."""

    def close(self) -> None:
        """Let go of the device; a ``read`` that waits returns soon."""
