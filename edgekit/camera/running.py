"""From a bundle and a source to sinks and a summary; and the same for a replay that must repeat itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.camera.analysis import Analyst, check_followed
from edgekit.camera.answering import Answerer, open_bundle
from edgekit.camera.events import difference, event_line, read_events
from edgekit.camera.live import TIMEOUT_S
from edgekit.camera.messages import MessageSink
from edgekit.camera.mqtt import Mqtt
from edgekit.camera.opening import open_source, open_stored
from edgekit.camera.outbox import Transport
from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.redaction import open_redactor
from edgekit.camera.scene import read_scene
from edgekit.camera.sinks import EventFile, Sink, VideoFile, check_video_name
from edgekit.camera.watchdog import watchdogs
from edgekit.camera.webhook import Webhook
from edgekit.runner.memory import peak_bytes


def run_camera(
    bundle: Path,
    spec: str,
    *,
    events: str | None = None,
    video: Path | None = None,
    realtime: bool = False,
    track: bool = False,
    scene: Path | None = None,
    redact: str | None = None,
    redact_with: Path | None = None,
    mqtt: str | None = None,
    webhook: str | None = None,
    every_frame: bool = False,
    frames: int | None = None,
    threads: int = 1,
    timeout_s: float = TIMEOUT_S,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Answer the frames of ``spec`` until it ends, ``frames`` have been captured, or Ctrl-C or SIGTERM.

    ``events``: file for lines of JSON, "-" for stdout; ``video``: annotated .mp4 or .avi. ``track``: follow what is
    found; ``scene``: file of lines and zones, for which it is followed too. ``redact``: "faces", "people" or
    "faces,people" are covered, which the bundle ``redact_with`` finds where the first does not. ``mqtt``,
    ``webhook``: addresses that what happens is sent to, or ``every_frame``. Returns counts, rates
    and times as JSON types; ``told`` hears of interruptions, also from threads. Raises EdgekitError.
    """
    if video:
        check_video_name(video)
    transports = open_transports(mqtt, webhook)
    answerer, analyst = open_analysed(bundle, threads=threads, track=track, scene=scene)
    redactor = open_redactor(answerer, redact, with_bundle=redact_with, threads=threads)
    # opened last: what is live runs on while a model loads
    source = open_source(spec, realtime=realtime, timeout_s=timeout_s)
    about = {"bundle": bundle.name, "source": source.name}
    senders = [MessageSink(to, every_frame=every_frame, about=about, told=told) for to in transports]
    sinks: list[Sink] = [*senders, *([EventFile(events)] if events else [])]
    sinks += [VideoFile(video, source.rate_fps)] if video else []
    sinks += watchdogs()  # last: a sink that hangs is a reason to start anew
    pipeline = Pipeline(answerer, source, frames=frames, analyst=analyst, redactor=redactor)
    sizes: list[dict[str, int]] = []
    gaps = 0
    with ExitStack() as stack, stopped_by_signals(pipeline):
        opened = [stack.enter_context(sink) for sink in sinks]
        for result in pipeline:
            _note_size(sizes, result)
            for sink in opened:
                sink.write(result)
            for gap_s in source.gaps[gaps:]:
                told(f"{source.name}: connected again after {gap_s:.1f} s without a frame")
            gaps = len(source.gaps)
    return {**_facts(pipeline, sizes), "messages": [sender.facts() for sender in senders]}


def open_transports(mqtt: str | None, webhook: str | None) -> list[Transport]:
    """Ways to the servers at these addresses; CameraError where one is no address. Nothing is connected yet."""
    return [*([Mqtt(mqtt)] if mqtt else []), *([Webhook(webhook)] if webhook else [])]


@dataclass(frozen=True, slots=True)
class Replay:
    """Every frame of a clip answered in order."""

    lines: tuple[str, ...]
    """An event a frame, as far as they were compared."""
    difference: str | None
    """The first one to what was expected: frame, what differs, both values."""
    facts: dict[str, Any]


def replay(
    clip: Path,
    bundle: Path,
    *,
    expect: Path | None,
    track: bool = False,
    scene: Path | None = None,
    threads: int = 1,
) -> Replay:
    """Answer every frame of a clip or folder in order, and compare with the events in ``expect``.

    It ends at the first difference. Raises EdgekitError.
    """
    expected = read_events(expect) if expect else None
    answerer, analyst = open_analysed(bundle, threads=threads, track=track, scene=scene)
    pipeline = Pipeline(answerer, open_stored(clip), analyst=analyst)
    lines: list[str] = []
    found = None
    sizes: list[dict[str, int]] = []
    with stopped_by_signals(pipeline, repeat=True):
        for result in pipeline:
            _note_size(sizes, result)
            lines.append(event_line(result))
            if expected is not None:
                wanted = expected[len(lines) - 1] if len(lines) <= len(expected) else None
                found = difference(wanted, lines[-1])
                if found:
                    break
    if expected is not None and found is None and len(lines) < len(expected):
        found = difference(expected[len(lines)], None)
    return Replay(tuple(lines), found, _facts(pipeline, sizes))


def open_analysed(
    bundle: Path, *, threads: int, track: bool, scene: Path | None
) -> tuple[Answerer, Analyst | None]:
    """The bundle, and who looks at what it finds where that is asked for: what may be wrong with it comes first."""
    analyst = Analyst(read_scene(scene) if scene else None) if track or scene else None
    answerer = open_bundle(bundle, threads=threads)
    if analyst:
        check_followed(answerer)
    return answerer, analyst


@contextmanager
def stopped_by_signals(pipeline: Pipeline, *, repeat: bool = False) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run; files are whole and the summary follows. A second one ends the process.

    ``repeat``: half a run is worth nothing; raise KeyboardInterrupt once the threads have ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _: object) -> None:
        stopped.append(number)
        pipeline.stop()
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped and repeat:
        raise KeyboardInterrupt


def _note_size(sizes: list[dict[str, int]], result: Result) -> None:
    """Note the first frame of each new size, a few at most."""
    height, width = result.frame.image.shape[:2]
    if len(sizes) < _NOTED_SIZES and (
        not sizes or (sizes[-1]["width"], sizes[-1]["height"]) != (width, height)
    ):
        sizes.append({"frame": result.frame.index, "width": width, "height": height})


_NOTED_SIZES = 8


def _facts(pipeline: Pipeline, sizes: list[dict[str, int]]) -> dict[str, Any]:
    source, answerer = pipeline.source, pipeline.answerer
    context = answerer.context
    return {
        "bundle": str(answerer.bundle.path),
        "task": answerer.contract.schema.task,
        "source": source.name,
        "live": source.live,
        "sizes": sizes,
        "captured": pipeline.captured,
        "frames": pipeline.put_out,
        "dropped": pipeline.dropped,
        "seconds": pipeline.seconds,
        "frames_per_s": pipeline.put_out / pipeline.seconds if pipeline.seconds > 0 else None,
        "stages_ms": pipeline.times.stages_ms(),
        "age_ms": pipeline.times.age_ms(),
        "gaps_s": list(source.gaps),
        "counts": pipeline.analyst.counts() if pipeline.analyst else None,
        "redaction": pipeline.redactor.facts() if pipeline.redactor else None,
        "peak_bytes": peak_bytes(),
        "kind": "measured",
        "context": {key: context[key] for key in _CONDITIONS},
    }


_CONDITIONS = (
    "machine",
    "cpu",
    "cores",
    "threads",
    "governor",
    "load_average_1m",
    "runtime",
    "runtime_version",
)
