"""``edgekit camera``: a bundle at work on frames, and its answers to a clip repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgekit.cli.options import BundleArgument, ForceOption, InferencesOption, ThenOption, ThreadsOption
from edgekit.cli.output import JsonOption, note, print_json, print_table
from edgekit.errors import CameraError, GateFailedError

app = typer.Typer(
    help="Answer the frames of a camera, clip or stream with a bundle.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

TrackOption = Annotated[
    bool, typer.Option("--track", help="Number what is found, the same number from frame to frame.")
]
SceneOption = Annotated[
    Path | None,
    typer.Option(help="File of lines and zones (TOML or JSON): say what crosses, enters, leaves and dwells."),
]

ThenMostOption = Annotated[
    int | None,
    typer.Option(min=1, help="Ask it of the largest so many on a frame; default: 8 people, every text."),
]
ThenEnlargeOption = Annotated[
    float | None,
    typer.Option(
        min=1,
        max=10,
        help="Side of the square around a person in longer sides of its box; default: 1.25. More where boxes leave "
        "heads and legs out.",
    ),
]


@app.command("run")
def run(
    bundle: BundleArgument,
    source: Annotated[
        list[str],
        typer.Option(
            "-s",
            "--source",
            envvar="EDGEKIT_SOURCE",
            help="A camera (0, /dev/video0, picamera2), rtsp:// or http:// address, video file, folder of images, "
            "or synthetic:640x480@30; repeatable, all share the model.",
        ),
    ],
    events: Annotated[
        str | None, typer.Option(help="Write a line of JSON for each frame; - is stdout.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the frames with what was found, .mp4 or .avi.")
    ] = None,
    track: TrackOption = False,
    scene: SceneOption = None,
    then: ThenOption = None,
    then_most: ThenMostOption = None,
    then_enlarge: ThenEnlargeOption = None,
    redact: Annotated[
        str | None,
        typer.Option(help="Cover before anything is written or sent: faces, people, or both with a comma."),
    ] = None,
    redact_with: Annotated[
        Path | None, typer.Option(help="A bundle that finds them, where BUNDLE does not.")
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            envvar="EDGEKIT_MQTT", help="Send what happens to mqtt[s]://[user:password@]host[:port]/topic."
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(envvar="EDGEKIT_WEBHOOK", help="Post what happens to an http:// or https:// address."),
    ] = None,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Send what was found on each frame, too.")
    ] = False,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Play a file at its own rate, and drop as a camera would.")
    ] = False,
    serve: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Serve a live page, and metrics for Prometheus; without a host to this machine only, "
            "else to who has the token.",
        ),
    ] = None,
    edit: Annotated[
        bool, typer.Option("--edit", help="Let the live page write the file of --scene.")
    ] = False,
    max_age: Annotated[
        float | None, typer.Option(min=1, help="Do less while answers are older than so many ms.")
    ] = None,
    max_temperature: Annotated[
        float | None, typer.Option(min=1, help="Do less while a sensor is hotter than so many °C.")
    ] = None,
    degrade_to: Annotated[
        list[Path] | None,
        typer.Option(help="A cheaper bundle to do less with, before frames are skipped; repeatable."),
    ] = None,
    rung: Annotated[
        int | None, typer.Option(min=0, help="Stay on this rung: 0 the bundle, 1 the next cheaper way, …")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="End after so many captured frames.")] = None,
    threads: ThreadsOption = 1,
    inferences: InferencesOption = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Longest wait for a frame of a camera or stream, in seconds.")
    ] = 10.0,
    json: JsonOption = False,
) -> None:
    """Answer frames until the source ends, or Ctrl-C or SIGTERM: both close the files and print the summary.

    Of a camera or stream the newest frame is answered and older ones are dropped; of a file every one is.

    Example: edgekit camera run out/blazeface-host.edgekit --source 0 --events -
    """
    from edgekit.camera.ladder import Limits
    from edgekit.camera.running import Input, Output, run_camera
    from edgekit.camera.work import Work

    if events == "-" and json:
        raise typer.BadParameter("--events - and --json both write to stdout; give --events a file")
    if edit and not (serve and scene):
        raise typer.BadParameter(
            "--edit is for the page of --serve, and writes the file of --scene; give both"
        )
    check_sending(mqtt, webhook, scene, every_frame=every_frame)
    work = Work(
        bundle=bundle,
        threads=threads,
        inferences=inferences,
        track=track,
        scene=scene,
        then=then,
        then_most=then_most,
        then_enlarge=then_enlarge,
        redact=redact,
        redact_with=redact_with,
        limits=Limits(age_ms=max_age, temperature_c=max_temperature),
        degrade_to=tuple(degrade_to or ()),
        rung=rung,
    )
    found = run_camera(
        work,
        Input(sources=source, realtime=realtime, frames=frames, timeout_s=timeout),
        Output(
            events=events,
            video=out,
            serve=serve,
            edit=edit,
            mqtt=mqtt,
            webhook=webhook,
            every_frame=every_frame,
        ),
        told=note,
    )
    if json:
        print_json(found)
        return
    say = note if events == "-" else typer.echo
    for each in found.get("cameras", [found]):
        if "cameras" in found:
            say(f"{each['source']}:")
        if events != "-":
            _print(each)
        say(_headline(each))
    for one in found["messages"]:
        say(f"{one['to']}: {one['sent']} messages sent, {one['lost']} lost")


def check_sending(mqtt: str | None, webhook: str | None, scene: Path | None, *, every_frame: bool) -> None:
    """A server without anything to send to it is a mistake in the command line (exit 2)."""
    if (mqtt or webhook) and not (scene or every_frame):
        raise typer.BadParameter(
            "--mqtt and --webhook send what happens at lines and zones; give --scene, or --every-frame"
        )


@app.command("replay")
def replay(
    clip: Annotated[Path, typer.Argument(help="A video file, or a folder of images.")],
    bundle: Annotated[Path, typer.Option("-b", "--bundle", help="A bundle: folder or zip.")],
    expect: Annotated[
        Path | None, typer.Option(help="Events of an earlier replay: exit 1 at the first difference.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Events file to write without --expect; default: CLIP.jsonl here."),
    ] = None,
    track: TrackOption = False,
    scene: SceneOption = None,
    then: ThenOption = None,
    then_most: ThenMostOption = None,
    then_enlarge: ThenEnlargeOption = None,
    force: ForceOption = False,
    threads: ThreadsOption = 1,
    inferences: InferencesOption = None,
    json: JsonOption = False,
) -> None:
    """Answer every frame of a clip in order: the same clip, bundle and machine give the same bytes.

    Without --expect the events are written to a file; with it they are compared, frame by frame.

    Example: edgekit camera replay clip.mp4 --bundle net.edgekit --expect clip.jsonl
    """
    from edgekit.camera.replaying import replay as run_replay
    from edgekit.camera.work import Work

    if expect and out:
        raise typer.BadParameter("--out is for a replay without --expect")
    target = out or Path(f"{clip.stem}.jsonl")
    if not expect and target.exists() and not force:
        raise CameraError(
            f"{target}: is there already; compare with --expect {target}, or replace it with --force"
        )
    work = Work(
        bundle=bundle,
        threads=threads,
        inferences=inferences,
        track=track,
        scene=scene,
        then=then,
        then_most=then_most,
        then_enlarge=then_enlarge,
    )
    found = run_replay(clip, work, expect=expect)
    if not expect:
        _write(target, found.lines)
    if json:
        written = None if expect else str(target)
        print_json(
            {**found.facts, "events": written, "same": not found.difference, "difference": found.difference}
        )
    elif not found.difference:
        done = f"as in {expect}" if expect else f"written to {target}"
        typer.echo(f"{len(found.lines)} frames of {clip}: {done}")
    if found.difference:
        raise GateFailedError(f"{clip}: not as in {expect}: {found.difference}")


def _write(path: Path, lines: tuple[str, ...]) -> None:
    try:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise CameraError(f"{path}: cannot be written: {error.strerror}") from None


def _print(found: dict[str, Any]) -> None:
    stages = {**found["stages_ms"], "age at output": found["age_ms"]}
    rows = [[name, _ms(times, "p50"), _ms(times, "p99")] for name, times in stages.items()]
    print_table(["stage", "p50>", "p99>"], rows)
    if then := found["then"]:
        typer.echo(f"{then['bundle']}: asked {then['asked']} times, {then['left_out']} left out")
    for place, counts in (found["counts"] or {}).items():
        typer.echo(f"{place}: {', '.join(f'{count} {what}' for what, count in counts.items())}")


def _headline(found: dict[str, Any]) -> str:
    rate, context = found["frames_per_s"], found["context"]
    pace = f", {rate:.1f} frames/s" if rate else ""
    sizes = " then ".join(f"{size['width']}x{size['height']}" for size in found["sizes"])
    return (
        f"{found['frames']} frames ({sizes or 'none'}), {found['dropped']} dropped{pace}; "
        f"{context['runtime']} {context['runtime_version']}, {context['inferences']} x {context['threads']} thread(s), "
        f"{context['cores']} cores"
    )


def _ms(times: dict[str, float] | None, key: str) -> str:
    value = times and times[key]
    return "-" if value is None else f"{value:.2f} ms"
