"""Every frame of a clip answered in order, and compared with what was answered before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.camera.events import difference, event_line, read_events
from edgekit.camera.opening import open_stored
from edgekit.camera.running import Summary
from edgekit.camera.stopping import stopped_by_signals
from edgekit.camera.work import OpenWork, Work


@dataclass(frozen=True, slots=True)
class Replay:
    lines: tuple[str, ...]
    """An event a frame, as far as they were compared."""
    difference: str | None
    """The first one to what was expected: frame, what differs, both values."""
    facts: dict[str, Any]


def replay(clip: Path, work: Work, *, expect: Path | None = None) -> Replay:
    """Answer every frame of a clip or folder in order, and compare with the events in ``expect``.

    It ends at the first difference. Raises EdgekitError.
    """
    expected = read_events(expect) if expect else None
    pipeline = OpenWork(work).pipeline(open_stored(clip))
    summary = Summary(pipeline)
    lines: list[str] = []
    found = None
    with stopped_by_signals([pipeline], repeat=True):
        for result in pipeline:
            summary.note(result)
            lines.append(event_line(result))
            if expected is not None:
                wanted = expected[len(lines) - 1] if len(lines) <= len(expected) else None
                found = difference(wanted, lines[-1])
                if found:
                    break
    if expected is not None and found is None and len(lines) < len(expected):
        found = difference(expected[len(lines)], None)
    return Replay(tuple(lines), found, summary.facts())
