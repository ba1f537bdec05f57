"""``edgekit convert``: the best bundle for each target, with evidence."""

from __future__ import annotations

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
from edgekit.cli.prediction import print_prediction
from edgekit.errors import ConversionError

if TYPE_CHECKING:
    from edgekit.bundles.manifest import Dropped
    from edgekit.conversion.candidates import Candidate
    from edgekit.conversion.convert import Conversion
    from edgekit.conversion.results import KeptBundle


def convert(
    model: ModelArgument,
    target: Annotated[list[str], typer.Option("-t", "--target", help="What to build for; repeatable.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the bundles.")] = Path(),
    precision: PrecisionOption = None,
    calib: CalibOption = None,
    data_free: Annotated[
        bool,
        typer.Option("--data-free", help="Calibrate int8 on synthetic inputs; marked as uncalibrated."),
    ] = False,
    evaluation: EvalOption = None,
    contract: ContractOption = None,
    shape: ShapeOption = None,
    max_drop: MaxDropOption = None,
    latency: LatencyOption = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; default: what the target has.")] = None,
    effort: Annotated[
        Effort, typer.Option(help="How much time int8 may take: fast, normal or max.", case_sensitive=False)
    ] = Effort.normal,
    samples: SamplesOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; build nothing.")] = False,
    zipped: Annotated[bool, typer.Option("--zip", help="Write each bundle as one zip.")] = False,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Build, check and time candidates for each target; keep the best one of each.

    Every candidate is compared with the source model on your samples and timed in turn with it; what is wrong,
    slower or less accurate than allowed is dropped, with the reason.

    Example: edgekit convert net.onnx -t host -t raspberry-pi-4 --calib photos -o out
    """
    from edgekit.conversion.convert import Order, plan_order
    from edgekit.conversion.convert import convert as run
    from edgekit.models.zoo import resolve

    catalog = usable_catalog()
    with progress("edgekit convert") as advance:
        order = Order(
            model=resolve(model, advance),
            targets=tuple(target),
            out=out,
            contract=contract,
            shapes=read_shapes(shape),
            calibration=calib,
            data_free=data_free,
            evaluation=evaluation,
            precisions=read_precisions(precision),
            max_drop=read_share(max_drop),
            latency_ms=read_milliseconds(latency),
            threads=threads,
            effort=effort.value,
            samples=samples,
            zipped=zipped,
            force=force,
        )
        if dry_run:
            advance(0, 1, "planning")
            plans = plan_order(order, catalog)
        else:
            conversion = run(order, catalog=catalog, advance=advance)
    if dry_run:
        _print_plan(plans, json=json)
        return
    if json:
        print_json(conversion.facts())
    else:
        _print(conversion)
    if conversion.without:
        raise ConversionError("\n".join(f"{name}: no bundle: {why}" for name, why in conversion.without))


def _print_plan(plans: dict[str, tuple[Candidate, ...]], *, json: bool) -> None:
    if json:
        print_json({"plan": [_plan_facts(item) for plan in plans.values() for item in plan]})
        return
    for target, candidates in plans.items():
        rows = [
            [item.way, item.precision or "any", item.variant, item.reason or _to_be_built(item)]
            for item in candidates
        ]
        print_table(["converters", "precision", "variant", "plan"], rows, title=f"Plan for {target}")


def _to_be_built(candidate: Candidate) -> str:
    if not candidate.rescues:
        return "to be built"
    how = "products in 16 bits" if candidate.integers_alone else "layers in float"
    return f"to be built; at most {candidate.rescues} more with {how}, should it lose too much"


def _plan_facts(candidate: Candidate) -> dict[str, object]:
    return {
        "target": candidate.target.id,
        "runtime": candidate.runtime.id,
        "converters": [link.converter.id for link in candidate.chain],
        "precision": candidate.precision,
        "variant": candidate.variant,
        "reason": candidate.reason,
        "most_rescues": candidate.rescues,
    }


def _print(conversion: Conversion) -> None:
    for line in conversion.notes:
        note(line)
    note(f"{counted(conversion.reused_steps, 'step')} reused from earlier runs, {conversion.made_steps} made")
    if conversion.bundles:
        columns = ["target", "kept", "time\n/source>", "cosine>", "agree>", "accuracy>", "MB>"]
        print_table(columns, [_row(bundle) for bundle in conversion.bundles])
        note("time / source: timed in turn with the source model; agree: samples answered as the source does")
        for bundle in conversion.bundles:
            typer.echo(f"{bundle.path}\n  {bundle.reason}")
        for bundle in conversion.bundles:
            if bundle.manifest.prediction:
                print_prediction(bundle.manifest.prediction, bundle.target)
    targets = [bundle.target for bundle in conversion.bundles] + [name for name, _ in conversion.without]
    lost = sorted([*conversion.dropped, *conversion.beaten], key=lambda entry: targets.index(entry.target))
    if lost:
        typer.echo()
        print_table(["target", "not kept", "why"], [_lost_row(entry) for entry in lost])


def _row(bundle: KeptBundle) -> list[str]:
    manifest = bundle.manifest
    timing, fidelity, accuracy = manifest.timing, manifest.fidelity, manifest.accuracy
    uncalibrated = "uncalibrated" if manifest.calibration and manifest.calibration.synthetic else ""
    words = (manifest.converter, manifest.artifact.precision, manifest.variant, uncalibrated)
    kept = " ".join(filter(None, words))
    return [
        bundle.target,
        kept,
        f"{timing.ratio:.2f}" if timing else "-",
        f"{fidelity.cosine:.4f}" if fidelity else "",
        f"{fidelity.agreement:.1%}" if fidelity else "",
        f"{accuracy.artifact:.1%} ({100 * (accuracy.artifact - accuracy.source):+.1f})" if accuracy else "-",
        f"{bundle.size_bytes / 1e6:.2f}",
    ]


def _lost_row(entry: Dropped) -> list[str]:
    way = " ".join(part for part in (entry.converter, entry.precision, entry.variant) if part)
    return [entry.target, way, entry.reason]
