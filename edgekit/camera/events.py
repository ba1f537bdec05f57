"""The line of JSON that says what was seen on a frame, and how two lists of them differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from edgekit.camera.pipeline import Result
from edgekit.errors import CameraError

_ABSENT = object()


def event_line(result: Result) -> str:
    """``{"frame": index, "time_ms": …, "boxes", "classes", "regions", "poses" or "segments": […]}``, keys sorted.

    The same text for the same answer: scores to 3 decimals, boxes [left, top, right, bottom] to 0.1 pixel of the frame,
    masks as COCO's counts of its pixels.
    """
    facts = event_facts(result)
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def event_facts(result: Result) -> dict[str, Any]:
    """The line's content. Boxes that are followed have a ``track``; ``happenings`` are there when there are any,
    ``camera`` where there are several.
    """
    facts = {
        "frame": result.frame.index,
        "time_ms": round(result.frame.time_ms, 3),
        **result.prediction.facts(),
    }
    if result.camera:
        facts["camera"] = result.camera
    if result.analysis:
        for box, track in zip(facts["boxes"], result.analysis.tracks, strict=True):
            if track is not None:
                box["track"] = track
        if result.analysis.happenings:
            facts["happenings"] = [item.facts() for item in result.analysis.happenings]
    return facts


def read_events(path: Path) -> list[str]:
    """The lines of an events file; CameraError where one is no event."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CameraError(f"{path}: cannot be read as events: {error}") from None
    for number, line in enumerate(lines, 1):
        try:
            frame = json.loads(line)["frame"]
        except (ValueError, TypeError, KeyError):
            frame = None
        if not isinstance(frame, int):
            raise CameraError(
                f"{path}: line {number}: no event of a frame; make the file with: edgekit camera replay"
            )
    return lines


def difference(expected: str | None, found: str | None) -> str | None:
    """What differs between two event lines, None where nothing does; a line that is absent is None."""
    if expected == found:
        return None
    if expected is None or found is None:
        present = json.loads(expected or found or "")
        return f"frame {present['frame']}: " + (
            "not expected" if expected is None else "expected, but the clip ended"
        )
    wanted, had = json.loads(expected), json.loads(found)
    paths = _paths(wanted, had, "")
    first = next(paths, "the text of the line alone")
    more = sum(1 for _ in paths)
    return f"frame {had['frame']}: {first}" + (f" (and {more} more)" if more else "")


def _paths(wanted: Any, had: Any, where: str) -> Iterator[str]:
    """Every place at which two JSON values differ, with both values."""
    if isinstance(wanted, dict) and isinstance(had, dict):
        for key in sorted(wanted.keys() | had.keys()):
            place = f"{where}.{key}" if where else str(key)
            yield from _paths(wanted.get(key, _ABSENT), had.get(key, _ABSENT), place)
    elif isinstance(wanted, list) and isinstance(had, list):
        if len(wanted) != len(had):
            yield f"{where}: {len(had)} found, {len(wanted)} expected"
            return
        for index, pair in enumerate(zip_longest(wanted, had)):
            yield from _paths(*pair, f"{where}[{index}]")
    elif wanted != had:
        yield f"{where}: {_shown(had)} found, {_shown(wanted)} expected"


def _shown(value: Any) -> str:
    return "nothing" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
