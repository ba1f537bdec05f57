"""Boxes of one frame after the other that belong to the same thing get the same number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.contracts import Box
from edgekit.errors import CameraError
from edgekit.host.extras import how_to_install

LOST_S = 1.0
"""What has not been seen for so long comes back as something new."""
_CERTAIN = 0.25
"""Score from which a box begins a track; a lower one only goes on with one (ultralytics' defaults of ByteTrack)."""


def check_tracking() -> None:
    """CameraError with what to install where the package is missing."""
    if line := how_to_install("trackers", extra="tracking", requirement="trackers>=2.6"):
        raise CameraError(f"following what moves needs the package trackers; {line}")


class Tracker:
    """ByteTrack: motion and overlap, no look at the picture (Zhang et al., ECCV 2022), by the package ``trackers``.

    It works with the frames' own times, so that dropped frames and interruptions do not mislead it.
    """

    def __init__(self) -> None:
        """CameraError where the package is not installed."""
        check_tracking()
        # matplotlib and scipy come with it: a second that only who tracks pays
        import supervision
        from trackers import ByteTrackTracker

        self._detections = supervision.Detections
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(LOST_S * 30),  # its unit are frames of 1/30 s
            track_activation_threshold=_CERTAIN,
            high_conf_det_threshold=_CERTAIN,
        )

    def numbers(self, boxes: Sequence[Box], time_s: float) -> tuple[int | None, ...]:
        """The track of each box, None where it has been seen once only; ``time_s`` of a frame after the last one's."""
        corners = [(box.left, box.top, box.right, box.bottom) for box in boxes]
        detections = self._detections(
            xyxy=np.array(corners, np.float32).reshape(-1, 4),
            confidence=np.array([box.score for box in boxes], np.float32),
            class_id=np.array([box.index for box in boxes], int),
            data={"place": np.arange(len(boxes))},
        )
        found: list[int | None] = [None] * len(boxes)
        tracked = self._tracker.update(detections, timestamp=time_s)
        if len(tracked) and tracked.tracker_id is not None:
            for place, number in zip(tracked.data["place"], tracked.tracker_id, strict=True):
                found[int(place)] = int(number) if number >= 0 else None
        return tuple(found)
