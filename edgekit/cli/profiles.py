"""``edgekit profiles``: how the hardware of targets performs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from edgekit.cli.facts import (
    binary,
    check_files,
    counted,
    found,
    print_facts,
    print_records,
    print_sources,
    si,
    usable_catalog,
)
from edgekit.cli.options import read_precision
from edgekit.cli.output import JsonOption, note, print_json, print_table, print_wrapped, progress
from edgekit.errors import EdgekitError
from edgekit.vocabulary import PredictedRuntime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgekit.catalog_schema import Accelerator, CpuCluster, FittedSpeed, Profile
    from edgekit.simulation.calibrating import Calibration
    from edgekit.simulation.published import Series

app = typer.Typer(
    help="Hardware facts of the targets, each with its source: files in profiles/.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("ls")
def ls(json: JsonOption = False) -> None:
    """List the profiles: processor, memory, bandwidth.

    Example: edgekit profiles ls
    """
    catalog = usable_catalog()
    columns = ("processor", "memory>", "bandwidth>")
    print_records("profiles", catalog.profiles, catalog, columns, _listed, json=json)


@app.command("show")
def show(profile_id: Annotated[str, typer.Argument(metavar="PROFILE")], json: JsonOption = False) -> None:
    """Show one profile: cores, caches, memory, accelerators, and where each fact stands.

    Example: edgekit profiles show rk3588
    """
    catalog = usable_catalog()
    profile, place = catalog.profile(profile_id), catalog.places["profiles", profile_id]
    if json:
        print_json(found(profile, place))
        return
    print_facts(
        f"{profile.id}: {profile.name}", [*_facts(profile), ("file", f"{place.path} ({place.origin})")]
    )
    columns = ("core", "cores>", "clock>", "L1 data>", "L2>")
    print_table(columns, [_cluster(cluster) for cluster in profile.cpu.clusters])
    if profile.accelerators:
        rows = [_accelerator(item) for item in profile.accelerators]
        print_table(("accelerator", "kind", "int8>", "fp16>"), rows)
    print_sources(profile.sources)


@app.command("check")
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Profiles to check with the others.")] = None,
    json: JsonOption = False,
) -> None:
    """Check every file of the catalog, and FILES; every problem is told, exit 1 if any.

    Example: edgekit profiles check my-board.toml
    """
    check_files("profiles", files or [], json=json)
    if not json:
        print_errors(files or [])


@app.command("probes")
def probes(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Files or zoo ids to choose from; default: what of the zoo is fetched."
        ),
    ] = None,
    runtime: Annotated[str, typer.Option(help="The runtime you will time them with.")] = "litert",
    precision: Annotated[str, typer.Option(help="The precision you will time them in.")] = "fp32",
    count: Annotated[int, typer.Option(min=1, help="How many to measure.")] = 5,
    json: JsonOption = False,
) -> None:
    """Recommend which models to time on a new board: those that tell the most of all others, the most telling first.

    Their times go into the CSV file that profiles fit takes.

    Example: edgekit profiles probes mobilenet.onnx yolo.onnx vgg.onnx resnet.onnx bert.onnx vit.onnx
    """
    from edgekit.cli.inspect import load_shaped
    from edgekit.models.zoo import entries, is_fetched, resolve
    from edgekit.simulation.layers import layers_of
    from edgekit.simulation.probing import recommend
    from edgekit.simulation.work import Work

    if runtime not in get_args(PredictedRuntime):
        raise typer.BadParameter(f"--runtime {runtime}: one of {', '.join(get_args(PredictedRuntime))}")
    wanted = read_precision(precision)
    names = models or [model.id for model in entries().values() if is_fetched(model)]
    with progress("edgekit profiles probes") as advance:
        paths = {name: resolve(name, advance) for name in names}
    terms = {name: Work.of(layers_of(load_shaped(path, {}))).on(runtime) for name, path in paths.items()}
    if len(terms) < count:
        raise EdgekitError(
            f"{counted(len(terms), 'model')} to choose {count} from: name more, or fetch some: edgekit models ls"
        )
    found = recommend(terms, runtime, wanted, count=count)
    if json:
        print_json({"probes": [{"model": item.name, "unsure": item.unsure} for item in found]})
        return
    rows = [(number, item.name, f"{item.unsure:.0%}") for number, item in enumerate(found, 1)]
    print_table(("#>", "model~", "others then\nunsure by>"), rows)
    print_wrapped(
        "Time each on the board, such as with edgekit profile MODEL --on ssh://user@board, and give the times "
        "to edgekit profiles fit --rows."
    )


@app.command("fit")
def fit(
    profile_id: Annotated[str, typer.Argument(metavar="PROFILE")],
    rows: Annotated[
        Path | None,
        typer.Option(
            help="Your measurements (CSV: model, runtime, version, precision, threads, latency_ms)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write. Default: profiles/PROFILE.toml here.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Fit what predictions are made with to measurements: published ones, or of models you timed on the board.

    Five to eight models of different kinds are enough (profiles probes chooses); what other boards have in common
    fills the rest. The error that is written is that for families of models the fit had not seen.

    Example: edgekit profiles fit my-board --rows timings.csv
    """
    from edgekit.simulation import fit_published, fit_rows

    catalog = usable_catalog()
    profile = catalog.profile(profile_id)
    text = catalog.places["profiles", profile_id].path.read_text(encoding="utf-8")
    made = fit_rows(profile, text, rows) if rows else fit_published(profile, text, catalog.profiles.values())
    path = out or Path("profiles") / f"{profile_id}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made.text, encoding="utf-8")
    except OSError as error:
        raise EdgekitError(f"{path}: cannot be written: {error.strerror}") from error
    if json:
        print_json(
            {
                "path": str(path),
                "speeds": [_fitted(*entry) for entry in made.speeds.items()],
                "counted_speeds": [_fitted(*entry) for entry in made.counted_speeds.items()],
            }
        )
    note(f"{counted(len(made.speeds) + len(made.counted_speeds), 'set')} of constants written to {path}")


def _fitted(series: Series, found: Calibration) -> dict[str, object]:
    return {
        "runtime": series.runtime,
        "runtime_version": series.version,
        "precision": series.precision,
        "threads": series.threads or None,
        "measurements": found.measurements,
        "families": found.families,
        "error_pct": {"median": found.median_pct, "p90": found.p90_pct},
    }


def print_errors(files: list[Path]) -> None:
    """How good predictions with each profile are, as stated in its file: cross-validated over model families."""
    wanted = {path.stem for path in files}
    rows = [
        (
            profile.id,
            f"{speed.runtime} {speed.version}",
            precision,
            speed.threads or "-",
            f"{speed.measurements} of {speed.families}",
            f"{speed.error_pct.median:.1f} %",
            f"{speed.error_pct.p90:.0f} %",
            f"x{speed.interval_factor:.2f}",
        )
        for profile in usable_catalog().profiles.values()
        if not wanted or profile.id in wanted
        for speed, precision in _speeds(profile)
    ]
    if rows:
        columns = (
            "profile",
            "runtime",
            "precision",
            "thr.>",
            "models of families>",
            "median>",
            "p90>",
            "4 of 5>",
        )
        print_table(columns, rows, title="error of predictions, for families of models the fit had not seen")


def _speeds(profile: Profile) -> Iterator[tuple[FittedSpeed, str]]:
    """Those from the graph with their precision, then those from emulated counts."""
    for speed in profile.speeds:
        yield speed, speed.precision
    for counts in profile.counted_speeds:
        yield counts, "emulated"


def _listed(profile: Profile) -> tuple[str, ...]:
    memory = profile.memory
    bandwidth = si(memory.bandwidth_bytes_per_s, "B/s")
    return _cores(profile), binary(memory.ram_bytes) or "-", bandwidth or "-"


def _cores(profile: Profile) -> str:
    return " + ".join(
        f"{cluster.cores}x {cluster.core} {si(cluster.clock_hz, 'Hz') or ''}".strip()
        for cluster in profile.cpu.clusters
    )


def _facts(profile: Profile) -> list[tuple[str, object]]:
    memory = profile.memory
    parts = (binary(memory.ram_bytes), memory.type, si(memory.bandwidth_bytes_per_s, "B/s"))
    return [
        ("chip", profile.soc),
        ("features", ", ".join(profile.cpu.isa_features)),
        ("L3", binary(profile.cpu.l3_bytes)),
        ("memory", ", ".join(part for part in parts if part)),
    ]


def _cluster(cluster: CpuCluster) -> tuple[object, ...]:
    shared = " shared" if cluster.l2_shared else ""
    l2 = binary(cluster.l2_bytes)
    clock = si(cluster.clock_hz, "Hz")
    l1d = binary(cluster.l1d_bytes)
    return cluster.core, cluster.cores, clock or "-", l1d or "-", f"{l2}{shared}" if l2 else "-"


def _accelerator(item: Accelerator) -> tuple[str, ...]:
    int8, fp16 = si(item.peak_int8_ops_per_s, "op/s"), si(item.peak_fp16_ops_per_s, "op/s")
    return item.name, item.kind, int8 or "-", fp16 or "-"
