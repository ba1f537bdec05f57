"""From work and sources to sinks and a summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.camera.frames import Source
from edgekit.camera.live import TIMEOUT_S
from edgekit.camera.messages import MessageSink
from edgekit.camera.mqtt import Mqtt
from edgekit.camera.opening import open_source
from edgekit.camera.outbox import Transport
from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.serving import LivePage, read_address
from edgekit.camera.sinks import EventFile, Sink, VideoFile, check_video_name
from edgekit.camera.stopping import stopped_by_signals
from edgekit.camera.together import together
from edgekit.camera.watchdog import watchdogs
from edgekit.camera.webhook import Webhook
from edgekit.camera.work import OpenWork, Work
from edgekit.errors import CameraError
from edgekit.runner.memory import peak_bytes

_NOTED_SIZES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Where frames come from."""

    sources: Sequence[str]
    realtime: bool = False
    frames: int | None = None
    """End after so many have been captured, of each."""
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where answers go."""

    events: str | None = None
    """File for lines of JSON, "-" for stdout."""
    video: Path | None = None
    """Annotated .mp4 or .avi; of several cameras the name gets their number."""
    serve: str | None = None
    """[HOST:]PORT of the live page."""
    edit: bool = False
    """It may change the scene's file, which then need not be there yet."""
    mqtt: str | None = None
    webhook: str | None = None
    """Addresses that what happens is sent to."""
    every_frame: bool = False
    """They get what was found on each frame, too."""


def run_camera(
    work: Work, given: Input, output: Output, *, told: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Answer frames until every source ends, ``given.frames`` have been captured, or Ctrl-C or SIGTERM.

    Returns counts, rates and times as JSON types, of several sources a list ``cameras``; ``told`` hears of interruptions,
    of the page's URL and of what goes wrong with one of several. Raises EdgekitError.
    """
    if output.video:
        check_video_name(output.video)
    address = read_address(output.serve) if output.serve else None
    if address and len(given.sources) > 1:
        raise CameraError("the live page shows one camera; start one command for each, on a port of its own")
    transports = open_transports(output.mqtt, output.webhook)
    edited = work.scene if output.edit else None
    if edited and not edited.exists():
        work = replace(work, track=True, scene=None)
    opened = OpenWork(work)
    # opened last: what is live runs on while a model loads
    sources = _open_sources(given)
    names = [source.name if len(sources) > 1 else None for source in sources]
    pipelines = [
        opened.pipeline(source, frames=given.frames, camera=name, told=told)
        for source, name in zip(sources, names, strict=True)
    ]
    about = {"bundle": work.bundle.name, "source": ", ".join(source.name for source in sources)}
    senders = [MessageSink(to, every_frame=output.every_frame, about=about, told=told) for to in transports]
    sinks: list[Sink] = [*senders, *([EventFile(output.events)] if output.events else [])]
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        if output.video:
            path = output.video.with_stem(f"{output.video.stem}-{number}") if name else output.video
            sinks.append(VideoFile(path, source.rate_fps, name))
    sinks += [LivePage(address, pipelines[0], edited=edited, told=told)] if address else []
    sinks += watchdogs()  # last: a sink that hangs is a reason to start anew
    summaries = [Summary(pipeline) for pipeline in pipelines]
    with ExitStack() as stack, stopped_by_signals(pipelines):
        open_sinks = [stack.enter_context(sink) for sink in sinks]
        for number, result in together(pipelines, told=told):
            summaries[number].note(result)
            for sink in open_sinks:
                sink.write(result)
            for gap_s in summaries[number].new_gaps_s():
                told(f"{sources[number].name}: connected again after {gap_s:.1f} s without a frame")
    facts = [summary.facts() for summary in summaries]
    process = {"peak_bytes": peak_bytes(), "messages": [sender.facts() for sender in senders]}
    return {**(facts[0] if len(facts) == 1 else {"cameras": facts}), **process}


def open_transports(mqtt: str | None, webhook: str | None) -> list[Transport]:
    """Ways to the servers at these addresses; CameraError where one is no address. Nothing is connected yet."""
    return [*([Mqtt(mqtt)] if mqtt else []), *([Webhook(webhook)] if webhook else [])]


def _open_sources(given: Input) -> list[Source]:
    """All of them, or none; CameraError where one was given twice, since frames go by their source's name."""
    with ExitStack() as stack:
        sources = list[Source]()
        for spec in given.sources:
            sources.append(open_source(spec, realtime=given.realtime, timeout_s=given.timeout_s))
            stack.callback(sources[-1].close)
            if sources[-1].name in [source.name for source in sources[:-1]]:
                raise CameraError(f"{spec}: given twice; each source is answered once")
        stack.pop_all()
    return sources


class Summary:
    """What there is to say of a pipeline's run."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._sizes: list[dict[str, int]] = []
        self._gaps = 0

    def note(self, result: Result) -> None:
        """The first frame of each new size, a few at most."""
        height, width = result.frame.image.shape[:2]
        if len(self._sizes) < _NOTED_SIZES and (
            not self._sizes or (self._sizes[-1]["width"], self._sizes[-1]["height"]) != (width, height)
        ):
            self._sizes.append({"frame": result.frame.index, "width": width, "height": height})

    def new_gaps_s(self) -> tuple[float, ...]:
        """Of the source, since the last call."""
        gaps = self._pipeline.source.gaps
        before, self._gaps = self._gaps, len(gaps)
        return gaps[before:]

    def facts(self) -> dict[str, Any]:
        pipeline = self._pipeline
        source, answerer, degrading = pipeline.source, pipeline.answerer, pipeline.degrading
        return {
            "bundle": str(answerer.bundle.path),
            "task": answerer.contract.schema.task,
            "source": source.name,
            "live": source.live,
            "sizes": self._sizes,
            "captured": pipeline.captured,
            "frames": pipeline.put_out,
            "dropped": pipeline.dropped,
            "seconds": pipeline.seconds,
            "frames_per_s": pipeline.put_out / pipeline.seconds if pipeline.seconds > 0 else None,
            "stages_ms": pipeline.times.stages_ms(),
            "age_ms": pipeline.times.age_ms(),
            "gaps_s": list(source.gaps),
            "counts": pipeline.analyst.counts() if pipeline.analyst else None,
            "then": pipeline.second.facts() if pipeline.second else None,
            "redaction": pipeline.redactor.facts() if pipeline.redactor else None,
            "degrading": degrading.facts() if degrading else None,
            "kind": "measured",
            "context": answerer.conditions(),
        }
