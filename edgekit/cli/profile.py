"""``edgekit profile``: latency, memory and operators of a bundle on a device."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.counted import print_answers, print_instructions
from edgekit.cli.facts import usable_catalog
from edgekit.cli.options import InferencesOption, ShapeOption, ThenOption, ThreadsOption, read_shapes
from edgekit.cli.output import JsonOption, note, print_json, print_table, print_wrapped, progress
from edgekit.cli.pipeline import check_alone, profile_pipeline
from edgekit.cli.prediction import print_prediction

if TYPE_CHECKING:
    from edgekit.profiling.record import Measurement, MemoryRecord

_OPERATORS = 10


def profile(
    bundle: Annotated[
        list[str], typer.Argument(help="Bundles (folder or zip), model files (.onnx, .tflite) or zoo ids.")
    ],
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            help="Device: local, ssh://user@host, emulated:TARGET, vm:TARGET, predicted:TARGET; repeatable.",
        ),
    ] = None,
    threads: ThreadsOption = 1,
    duration: Annotated[float, typer.Option(min=0.1, help="Seconds of timed inferences per bundle.")] = 8.0,
    runs: Annotated[int | None, typer.Option(min=1, help="Timed inferences, instead of --duration.")] = None,
    by_operator: Annotated[
        bool, typer.Option("--by-operator", help="On emulated devices, too, where it takes minutes.")
    ] = False,
    shape: ShapeOption = None,
    pipeline: Annotated[
        Path | None,
        typer.Option(
            "--pipeline",
            help="Clip or folder of images: time camera run, stage by stage and whole.",
        ),
    ] = None,
    then: ThenOption = None,
    inferences: InferencesOption = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Keep the measurements in this file.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure start-up, latency, memory by phase and time by operator.

    The bundle runs in processes of its own, which load nothing but the runtime. Its golden pair must reproduce.
    On an emulated device (see edgekit device setup) instructions are counted instead, and nothing is timed.

    On predicted:TARGET nothing is timed: it is what the compiler of a bundle for an NPU foretells, or what published
    measurements of a board say of the instructions that are counted on its emulated core (or of the graph, where
    emulation is not set up or with predicted:TARGET?from=graph).

    With --pipeline the camera's stages are timed on this machine, one after the other and then overlapped, as
    edgekit camera run does them.

    Example: edgekit profile out/net-host.edgekit --on local --on ssh://pi@board -o net.json
    """
    from edgekit.devices import open_device
    from edgekit.profiling import Extent, runnable
    from edgekit.profiling import profile as run
    from edgekit.profiling.predicted import predicted
    from edgekit.vocabulary import PREDICTED

    if pipeline:
        from edgekit.camera.work import Work

        given = {"--on": bool(on), "--runs": bool(runs), "--by-operator": by_operator, "--shape": bool(shape)}
        check_alone({**given, "--out": bool(out)})
        works = [
            Work(bundle=Path(name), threads=threads, inferences=inferences, then=then) for name in bundle
        ]
        profile_pipeline(works, pipeline, duration_s=duration, json=json)
        return
    if then or inferences:
        raise typer.BadParameter("--then and --inferences go with --pipeline CLIP")
    specs, shapes = on or ["local"], read_shapes(shape)
    catalog = usable_catalog() if any(spec.startswith(PREDICTED) for spec in specs) else None
    extent = Extent(duration_s=duration, runs=runs, by_operator=by_operator)
    measurements: list[Measurement] = []
    with progress("edgekit profile") as advance, ExitStack() as stack:
        devices = {
            spec: None
            if spec.startswith(PREDICTED)
            else stack.enter_context(closing(open_device(spec, told=note)))
            for spec in specs
        }
        for name in bundle:
            with runnable(name, shapes) as ready:
                for spec, device in devices.items():
                    if device is not None:
                        found = run(ready, device, threads=threads, extent=extent, advance=advance)
                    else:
                        assert catalog is not None
                        found = predicted(ready, spec, catalog, threads=threads, told=note, advance=advance)
                    measurements.append(found)
    facts = {"measurements": [item.model_dump(mode="json", by_alias=True) for item in measurements]}
    if out:
        _write(facts, out)
    if json:
        print_json(facts)
    else:
        _print(measurements)


def _write(facts: dict[str, Any], out: Path) -> None:
    import json

    from edgekit.errors import EdgekitError

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(facts, indent=1, allow_nan=False), encoding="utf-8")
    except OSError as error:
        raise EdgekitError(f"{out}: cannot be written: {error.strerror}") from error
    note(f"kept in {out}")


def _print(measurements: list[Measurement]) -> None:
    column, names = _named(measurements)
    columns = [column, "kind", "p50 ms>", "95% CI>", "p90>", "p99>", "cold\nms>", "warm\nms>"]
    print_table(columns, [[name, *_row(item)] for name, item in zip(names, measurements, strict=True)])
    _print_memory(column, names, measurements)
    for item in measurements:
        if item.prediction:
            print_prediction(item.prediction, item.bundle)
        if item.estimate:
            print_wrapped(f"{item.bundle}: {item.estimate.says}")
            continue
        print_instructions(item)
        print_answers(item)
        _print_operators(item)
        _print_conditions(item)


def _print_memory(column: str, names: list[str], measurements: list[Measurement]) -> None:
    columns = [f"memory in MB\n{column}", "base>", "load>", "first>", "steady>", "peak>", "kernel's>"]
    counted = any(item.instructions is not None for item in measurements)
    rows = [
        [name, *_memory_row(item.memory_bytes), *([_millions(item)] if counted else [])]
        for name, item in zip(names, measurements, strict=True)
        if item.memory_bytes
    ]
    if rows:
        print_table([*columns, *(["million\ninstr.>"] if counted else [])], rows)


def _named(measurements: list[Measurement]) -> tuple[str, list[str]]:
    """A column for what tells the rows apart, and its cells: bundles, devices, or both."""
    bundles = [item.bundle.removesuffix(".edgekit") for item in measurements]
    devices = [item.device for item in measurements]
    if len(set(devices)) == 1:
        return "bundle~", bundles
    if len(set(bundles)) == 1:
        return "device~", devices
    return "bundle, device~", [f"{bundle}, {device}" for bundle, device in zip(bundles, devices, strict=True)]


def _row(item: Measurement) -> list[str]:
    latency = item.latency_ms
    times = (
        [
            f"{latency.p50:.2f}",
            f"{latency.ci_low:.2f}-{latency.ci_high:.2f}",
            f"{latency.p90:.2f}",
            f"{latency.p99:.2f}",
        ]
        if latency
        else [f"{item.foretold.latency_ms:.2f}" if item.foretold else "", "", "", ""]
    )
    starts = ["" if start is None else f"{start:.0f}" for start in (item.cold_start_ms, item.warm_start_ms)]
    return [item.kind, *times, *starts]


def _millions(item: Measurement) -> str:
    return "" if item.instructions is None else f"{item.instructions.total / 1e6:.2f}"


def _memory_row(memory: MemoryRecord) -> list[str]:
    return [
        *(_mb(size) for size in (memory.base, memory.load, memory.first, memory.steady, memory.peak)),
        _mb(memory.kernel_peak) if memory.kernel_peak else "",
    ]


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}"


def _print_operators(item: Measurement) -> None:
    if not item.operators and item.kind == "emulated":
        return
    if not item.operators:
        note(f"{item.bundle}: no times by operator: {item.operators_method}")
        return
    total = sum(operator.ms for operator in item.operators)
    slowest = sorted(item.operators, key=lambda operator: -operator.ms)[:_OPERATORS]
    rows = [
        [operator.name, operator.op, f"{operator.ms:.3f}", f"{operator.ms / total:.0%}"]
        for operator in slowest
    ]
    print_wrapped(
        f"{item.bundle}: the slowest of {len(item.operators)} operators, by {item.operators_method}"
    )
    print_table(["source layer~", "operator", "ms>", "share>"], rows)


def _print_conditions(item: Measurement) -> None:
    """A number without its conditions is not printed."""
    context, latency = item.context, item.latency_ms
    if item.kind == "emulated":
        # whose processor it was emulated on has no part in the figures
        print_wrapped(
            f"{item.bundle}: {item.kind} on {item.device}, {context.runtime} {context.runtime_version}, "
            f"{context.threads} thread(s) of {context.cpu}: no latency, {item.operators_method}"
        )
        return
    samples = f"{latency.samples} inferences in {len(item.starts)} processes, " if latency else ""
    load = "" if context.load_average_1m is None else f", load {context.load_average_1m:.1f}"
    governor = f", governor {context.governor}" if context.governor else ""
    ram = f", {context.ram_bytes / 1e6:.0f} MB of memory" if context.ram_bytes else ""
    conditions = (
        f"{item.bundle}: {item.kind} on {item.device}, {context.runtime} {context.runtime_version}, "
        f"{samples}{context.threads} of {context.cores} cores of {context.cpu}{ram}{governor}{load}"
    )
    print_wrapped(conditions)
    typer.echo()
    if latency and latency.warning:
        note(latency.warning)
