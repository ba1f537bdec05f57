"""The facts in the text format of Prometheus, version 0.0.4: base units, counters end in _total."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "edgekit_camera_"
_LINE_COUNTS = ("in", "out")
_ZONE_COUNTS = ("entered", "left", "dwelt")
_Sample = tuple[str, Mapping[str, object], float]
"""What follows the family's name, labels, value."""


def metrics_text(facts: Mapping[str, Any]) -> str:
    """What :meth:`Figures.facts` gives."""
    return "".join(f"{line}\n" for line in _lines(facts))


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    for key, what in _COUNTED.items():
        yield from _single(f"{_PREFIX}{key}_frames_total", "counter", what, facts[key])
    totals, gaps = facts["totals"], facts["gaps"]
    age = _summary(facts["age_ms"], totals["age"])
    yield from _family(f"{_PREFIX}age_seconds", "summary", "From a frame's capture to its answer.", age)
    stages: list[_Sample] = [
        (suffix, {"stage": stage, **labels}, value)
        for stage, times in facts["stages_ms"].items()
        for suffix, labels, value in _summary(times, totals[stage])
    ]
    yield from _family(f"{_PREFIX}stage_seconds", "summary", "What each stage took of a frame.", stages)
    yield from _single(f"{_PREFIX}gaps_total", "counter", "Interruptions of the stream.", gaps["count"])
    yield from _single(f"{_PREFIX}gap_seconds_total", "counter", "Their length.", gaps["seconds"])
    yield from _places(facts["counts"])
    warmth: list[_Sample] = [
        ("", {"zone": zone["zone"], "type": zone["kind"]}, zone["celsius"]) for zone in facts["temperatures"]
    ]
    yield from _family(f"{_PREFIX}temperature_celsius", "gauge", "The kernel's thermal zones.", warmth)
    if rung := facts["rung"]:
        yield from _single(
            f"{_PREFIX}rung", "gauge", "0: nothing is saved; more: the ladder's rung.", rung["number"]
        )
    resident = facts["resident_bytes"]
    yield from _single("process_resident_memory_bytes", "gauge", "Resident memory of the process.", resident)
    info = {key: facts[key] for key in ("bundle", "task", "runtime", "source")}
    yield from _family(f"{_PREFIX}info", "gauge", "What runs; always 1.", [("", info, 1)])


_COUNTED = {
    "captured": "Frames that the source gave.",
    "answered": "Frames that were answered and put out.",
    "dropped": "Frames that gave way to a newer one.",
}


def _single(name: str, kind: str, what: str, value: float) -> Iterator[str]:
    return _family(name, kind, what, [("", {}, value)])


def _summary(newest_ms: Mapping[str, float | None] | None, total: Mapping[str, float]) -> list[_Sample]:
    """Quantiles of the newest frames, as far as they are known; sum and count of all."""
    shown = {"0.5": "p50", "0.99": "p99"}
    known = [(quantile, (newest_ms or {}).get(key)) for quantile, key in shown.items()]
    quantiles: list[_Sample] = [
        ("", {"quantile": quantile}, value / 1000) for quantile, value in known if value is not None
    ]
    return [*quantiles, ("_sum", {}, total["seconds"]), ("_count", {}, total["samples"])]


def _places(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    crossings: list[_Sample] = []
    events: list[_Sample] = []
    inside: list[_Sample] = []
    for place, of in counts.items():
        crossings += [("", {"line": place, "direction": way}, of[way]) for way in _LINE_COUNTS if way in of]
        events += [("", {"zone": place, "event": event}, of[event]) for event in _ZONE_COUNTS if event in of]
        inside += [("", {"zone": place}, of["inside"])] if "inside" in of else []
    yield from _family(f"{_PREFIX}crossings_total", "counter", "What crossed a line.", crossings)
    yield from _family(f"{_PREFIX}zone_events_total", "counter", "What happened at a zone.", events)
    yield from _family(f"{_PREFIX}zone_inside", "gauge", "How many are in a zone now.", inside)


def _family(name: str, kind: str, what: str, samples: list[_Sample]) -> Iterator[str]:
    """A family without samples is left out."""
    if not samples:
        return
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    for suffix, labels, value in samples:
        written = ",".join(f'{key}="{_escaped(str(text))}"' for key, text in labels.items())
        yield f"{name}{suffix}{f'{{{written}}}' if written else ''} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
