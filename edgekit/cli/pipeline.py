"""``edgekit profile --pipeline``: what the camera's stages take here, alone and overlapped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer

from edgekit.cli.output import print_json, print_table, print_wrapped, progress


def profile_pipeline(
    bundles: Sequence[str], clip: Path, *, threads: int, duration_s: float, json: bool
) -> None:
    """Go through the clip with each bundle, stage by stage and as ``camera run`` does, and print what each takes."""
    from edgekit.camera.answering import open_bundle
    from edgekit.camera.opening import open_stored
    from edgekit.camera.pace import pace

    found: list[dict[str, Any]] = []
    with progress("edgekit profile") as advance:
        for number, name in enumerate(bundles):
            advance(number, len(bundles), f"{name}: stage by stage")
            answerer = open_bundle(Path(name), threads=threads)
            measured = pace(answerer, partial(open_stored, clip), lambda _: None, duration_s=duration_s)
            found.append(
                {"bundle": name, "source": str(clip), "threads": threads, **measured.facts()}
                | {"context": answerer.conditions()}
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
    print_wrapped(
        f"camera run comes to {facts['pipeline_fps']:.1f} frames/s on this machine, limited by "
        f"{_limit(facts['limit'])}; one stage after the other to {facts['loop_fps']:.1f}. Measured on "
        f"{facts['frames']} frames of {facts['source']}, nothing written; {context['runtime']} "
        f"{context['runtime_version']}, {facts['threads']} thread(s), {context['cores']} cores"
    )


def _limit(limit: str) -> str:
    return "the processors" if limit == "processors" else f"its stage {limit}"


def check_alone(given: dict[str, bool]) -> None:
    """Usage error where an option has no meaning with --pipeline."""
    if names := [name for name, is_given in given.items() if is_given]:
        raise typer.BadParameter(f"--pipeline times the stages on this machine; without {', '.join(names)}")
