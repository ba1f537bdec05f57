"""``edgekit tune``: search the ways to a target under limits of latency, memory and accuracy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.facts import counted, usable_catalog
from edgekit.cli.options import (
    CalibOption,
    ContractOption,
    Effort,
    EvalOption,
    ForceOption,
    LatencyOption,
    MaxDropOption,
    ModelArgument,
    PrecisionOption,
    SamplesOption,
    ShapeOption,
    read_milliseconds,
    read_precisions,
    read_shapes,
    read_share,
)
from edgekit.cli.output import JsonOption, note, print_json, print_table, progress
from edgekit.errors import GateFailedError

if TYPE_CHECKING:
    from edgekit.tuning.record import Trial
    from edgekit.tuning.tune import Tuning

_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def tune(
    model: ModelArgument,
    target: Annotated[
        str, typer.Option("-t", "--target", help="What to tune for; this machine must be one.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the bundle and tune.json.")] = Path(),
    latency: LatencyOption = None,
    precision: PrecisionOption = None,
    memory: Annotated[
        str | None, typer.Option(help="Highest resident memory of the runner, such as '<200MB'.")
    ] = None,
    max_drop: MaxDropOption = None,
    trials: Annotated[
        int, typer.Option(min=1, help="At most so many trials, those of earlier runs included.")
    ] = 100,
    effort: Annotated[
        Effort,
        typer.Option(help="How many samples int8 is fitted on: fast, normal or max.", case_sensitive=False),
    ] = Effort.normal,
    calib: CalibOption = None,
    evaluation: EvalOption = None,
    contract: ContractOption = None,
    shape: ShapeOption = None,
    samples: SamplesOption = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Decides the order of the search.")] = 0,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Search converter, precision, ranges, rounding and threads; hand out the fastest that keeps to all limits.

    Every trial is compared with the source model on your samples and timed in turn with it. All of them stand in
    tune.json; an interrupted search goes on where it was, and other limits need no new trials.

    Example: edgekit tune net.onnx -t host --latency '<20ms' --max-drop 1% -o out
    """
    from edgekit.conversion.order import Order
    from edgekit.models.zoo import resolve
    from edgekit.tuning.tune import TuneOrder
    from edgekit.tuning.tune import tune as run

    catalog = usable_catalog()
    with progress("edgekit tune") as advance:
        order = Order(
            model=resolve(model, advance),
            targets=(target,),
            out=out,
            contract=contract,
            shapes=read_shapes(shape),
            calibration=calib,
            evaluation=evaluation,
            precisions=read_precisions(precision),
            max_drop=read_share(max_drop),
            latency_ms=read_milliseconds(latency),
            effort=effort.value,
            samples=samples,
            force=force,
        )
        wanted = TuneOrder(order=order, memory_bytes=read_memory(memory), trials=trials, seed=seed)
        found = run(wanted, catalog=catalog, advance=advance)
    if json:
        print_json(found.facts())
    else:
        _print(found)
    if found.bundle is None:
        raise GateFailedError(f"{target}: no bundle: {found.pick.reason}. All trials are in {found.place}")


def read_memory(text: str | None) -> int | None:
    """``<200MB``, ``200 MB`` or ``1.5GiB`` in bytes."""
    if text is None:
        return None
    number = text.strip().removeprefix("<").removeprefix("=").strip().lower()
    unit = next((unit for unit in _UNITS if number.endswith(unit)), "")
    try:
        value = float(number.removesuffix(unit)) * _UNITS[unit]
    except (ValueError, KeyError):
        value = -1.0
    if not (math.isfinite(value) and value > 0):
        raise typer.BadParameter(f"--memory {text}: give megabytes, such as '<200MB'")
    return int(value)


def _print(found: Tuning) -> None:
    record = found.record
    for line in found.notes:
        note(line)
    reused = len(record.trials) - found.measured
    note(
        f"{counted(found.measured, 'trial')} made, {reused} kept from earlier runs; "
        f"{len(record.trials)} of {counted(record.points, 'point')} tried"
    )
    if record.final:
        finalists = counted(len(record.final.finalists), "trial")
        note(
            f"final: {finalists} of the front timed once more in one run{'' if found.held_final else ', earlier'}"
        )
    shown = [*found.pick.front]
    if found.pick.nearest and found.pick.nearest not in shown:
        shown.append(found.pick.nearest)
    if shown:
        labelled = any(trial.accuracy for trial in shown)
        columns = [
            "",
            "front",
            "threads>",
            "time\n/source>",
            "p50\nms>",
            "peak\nMB>",
            "accuracy>" if labelled else "agree>",
        ]
        rows = [_row(trial, _mark(found, trial)) for trial in shown]
        print_table([*columns, "SQNR\ndB>"], rows)
        note(
            f"time / source: timed in turn with the source model on {counted(record.source_threads, 'thread')}; "
            "peak: resident memory of the runner"
        )
    if found.bundle:
        typer.echo(f"{found.bundle.path}\n  {found.pick.reason}")
    typer.echo(f"{found.place}: all {counted(len(record.trials), 'trial')}")


def _mark(found: Tuning, trial: Trial) -> str:
    if trial is found.pick.chosen:
        return ">"
    return "~" if trial is found.pick.nearest else ""


def _row(trial: Trial, mark: str) -> list[str]:
    timing, fidelity, accuracy = trial.timing, trial.fidelity, trial.accuracy
    quality = f"{fidelity.agreement:.1%}" if fidelity else ""
    if accuracy:
        quality = f"{accuracy.artifact:.1%} ({100 * (accuracy.artifact - accuracy.source):+.1f})"
    return [
        mark,
        trial.point.artifact,
        str(trial.threads),
        f"{timing.ratio:.2f}" if timing else "",
        f"{timing.p50_ms:.2f}" if timing else "",
        f"{trial.peak_bytes / 1e6:.0f}" if trial.peak_bytes else "",
        quality,
        f"{fidelity.sqnr_db:.1f}" if fidelity else "",
    ]
