"""``edgekit profile --pipeline``: what the camera's stages take here, alone and overlapped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgekit.cli.output import print_json, print_table, print_wrapped, progress

if TYPE_CHECKING:
    from edgekit.camera.pipeline import Pipeline
    from edgekit.camera.work import OpenWork, Work


def profile_pipeline(works: Sequence[Work], clip: Path, *, duration_s: float, json: bool) -> None:
    """Go through the clip with each bundle, stage by stage and as ``camera run`` does, and print what each takes."""
    from edgekit.camera.opening import open_stored
    from edgekit.camera.pace import pace
    from edgekit.camera.work import OpenWork

    def opened(work: OpenWork) -> Pipeline:
        return work.pipeline(open_stored(clip))

    found: list[dict[str, Any]] = []
    with progress("edgekit profile") as advance:
        for number, work in enumerate(works):
            advance(number, len(works), f"{work.bundle}: stage by stage")
            ready = OpenWork(work)
            measured = pace(partial(opened, ready), lambda _: None, duration_s=duration_s)
            found.append(
                {"bundle": str(work.bundle), "then": work.then and str(work.then), "source": str(clip)}
                | {"threads": work.threads, **measured.facts(), "context": ready.answerer.conditions()}
            )
    if json:
        print_json({"pipelines": found})
    else:
        for facts in found:
            _print(facts)


def _print(facts: dict[str, Any]) -> None:
    rows = [[stage, f"{spent_ms:.2f} ms"] for stage, spent_ms in facts["stages_ms"].items()]
    print_table([facts["bundle"], "a frame>"], [*rows, ["processor time", f"{facts['cpu_ms']:.2f} ms"]])
    context = facts["context"]
    then = f", then {facts['then']}" if facts["then"] else ""
    print_wrapped(
        f"camera run comes to {facts['pipeline_fps']:.1f} frames/s on this machine, limited by "
        f"{_limit(facts['limit'])}; one stage after the other to {facts['loop_fps']:.1f}. Measured on "
        f"{facts['frames']} frames of {facts['source']}{then}, nothing written; {context['runtime']} "
        f"{context['runtime_version']}, {context['inferences']} x {context['threads']} thread(s), {context['cores']} cores"
    )


def _limit(limit: str) -> str:
    return f"the {limit}" if limit in ("workers", "processors") else f"its stage {limit}"


def check_alone(given: dict[str, bool]) -> None:
    """Usage error where an option has no meaning with --pipeline."""
    if names := [name for name, is_given in given.items() if is_given]:
        raise typer.BadParameter(f"--pipeline times the stages on this machine; without {', '.join(names)}")
