"""Draw an answer on the frame that it was given to, and the scene that it is part of."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgekit.camera.analysis import Counts
from edgekit.camera.drawing_poses import draw_pose
from edgekit.camera.pipeline import Result
from edgekit.camera.scene import Line, Scene, Zone
from edgekit.contracts import Box, Boxes, Classes, Mask, Poses, TextRegions
from edgekit.contracts.types import Image

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _BLACK, _POINT = (255, 255, 255), (0, 0, 0), (0, 255, 255)
_COLOURS = ((66, 133, 244), (52, 168, 83), (234, 67, 53), (250, 160, 5), (160, 80, 220), (0, 172, 193))
"""BGR, by track, else by class."""
_PLACE = (200, 200, 200)


def drawn(result: Result) -> Image:
    """A copy of the frame with boxes, poses, masks, text regions or the best class on it, and lines and zones with their
    counts.
    """
    canvas, analysis = result.frame.image.copy(), result.analysis
    # lines and letters as large as the picture needs
    scale = max(min(canvas.shape[:2]) / 480, 0.5)
    if analysis and analysis.scene:
        _draw_scene(canvas, analysis.scene, analysis.counts, scale)
    match result.prediction:
        case Boxes(boxes):
            tracks = analysis.tracks if analysis else (None,) * len(boxes)
            for box, track in reversed(list(zip(boxes, tracks, strict=True))):  # the best on top
                _draw_box(canvas, box, track, scale)
            for box, track in zip(boxes, tracks, strict=True):
                if box.pose:  # over the labels, which may hide a head
                    draw_pose(canvas, box.pose, _colour(box, track), _thick(scale))
        case Mask():
            _draw_mask(canvas, result.prediction, scale)
        case TextRegions(regions):
            for region in regions:
                corners = np.rint(region.corners).astype(np.int32)
                cv2.polylines(canvas, [corners], True, _COLOURS[0], _thick(scale), cv2.LINE_AA)
                if region.text:
                    # OpenCV's letters are those of ASCII
                    shown = region.text.text.encode("ascii", "replace").decode()
                    _write(canvas, shown, (int(corners[0][0]), int(corners[0][1])), _COLOURS[0], scale)
        case Poses(poses):
            for pose in reversed(poses):
                draw_pose(canvas, pose, _COLOURS[0], _thick(scale))
        case Classes(top):
            lines = [f"{item.label} {item.score:.2f}" for item in top[:3]]
            for row, line in enumerate(lines):
                _write(canvas, line, (0, round(22 * scale * (row + 1))), _COLOURS[0], scale)
    return canvas


def _draw_scene(canvas: Image, scene: Scene, counts: Counts, scale: float) -> None:
    size = (canvas.shape[1], canvas.shape[0])
    places: tuple[Line | Zone, ...] = (*scene.lines, *scene.zones)
    for place in places:
        points = np.rint(np.array(place.points) * size).astype(np.int32)
        cv2.polylines(canvas, [points], isinstance(place, Zone), _PLACE, _thick(scale), cv2.LINE_AA)
        shown = [f"{count} {what}" for what, count in counts[place.name].items() if what in _SHOWN_COUNTS]
        _write(canvas, f"{place.name}: {', '.join(shown)}", tuple(points[0].tolist()), _PLACE, scale)


_SHOWN_COUNTS = ("in", "out", "inside", "entered")


def _draw_box(canvas: Image, box: Box, track: int | None, scale: float) -> None:
    colour = _colour(box, track)
    left, top, right, bottom = (round(side) for side in (box.left, box.top, box.right, box.bottom))
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, _thick(scale))
    for x, y in box.points:
        cv2.circle(canvas, (round(x), round(y)), _thick(scale), _POINT, -1)
    name = box.label if track is None else f"{box.label} #{track}"
    _write(canvas, f"{name} {box.score:.2f}", (left, top), colour, scale)


def _colour(box: Box, track: int | None) -> tuple[int, int, int]:
    return _COLOURS[(box.index if track is None else track) % len(_COLOURS)]


def _draw_mask(canvas: Image, mask: Mask, scale: float) -> None:
    """Each class in its colour, half of the picture showing through, and its share in the corner."""
    indices = mask.indices
    shares = sorted(mask.shares.items())
    colours = [_COLOURS[index % len(_COLOURS)] for index, _ in shares]
    for (index, _), colour in zip(shares, colours, strict=True):
        halves = ((np.arange(256)[:, None] + colour) // 2).astype(np.uint8)
        cv2.copyTo(cv2.LUT(canvas, halves[None]), (indices == index).view(np.uint8), canvas)
    for row, ((index, share), colour) in enumerate(zip(shares, colours, strict=True), 1):
        _write(canvas, f"{mask.labels[index]} {share:.0%}", (0, round(22 * scale * row)), colour, scale)


def _write(canvas: Image, text: str, corner: tuple[int, int], colour: Sequence[int], scale: float) -> None:
    """A label whose lower left corner is ``corner``, moved down where it would stick out at the top."""
    size = 0.5 * scale
    (width, height), below = cv2.getTextSize(text, _FONT, size, 1)
    left, bottom = corner[0], max(corner[1], height + below)
    cv2.rectangle(canvas, (left, bottom - height - below), (left + width, bottom), colour, -1)
    ink = _WHITE if sum(colour) < 400 else _BLACK
    cv2.putText(canvas, text, (left, bottom - below), _FONT, size, ink, 1, cv2.LINE_AA)


def _thick(scale: float) -> int:
    return max(1, round(2 * scale))
