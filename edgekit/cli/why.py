"""``edgekit why``: error and time of a bundle, by source layer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.options import BundleArgument, ThreadsOption
from edgekit.cli.output import JsonOption, note, print_json, print_table, progress

if TYPE_CHECKING:
    from edgekit.reports.layers import Row, Why


class By(StrEnum):
    """Orders of the table."""

    error = "error"
    time = "time"
    order = "order"


def why(
    bundle: BundleArgument,
    source: Annotated[
        Path | None, typer.Option(help="The source model, for what the bundle does not carry.")
    ] = None,
    calib: Annotated[
        Path | None, typer.Option(help="Samples to try layers on, where the bundle carries no errors.")
    ] = None,
    times: Annotated[
        Path | None, typer.Option(help="A file of `profile -o`; default: time the operators here.")
    ] = None,
    threads: ThreadsOption = 1,
    by: Annotated[By, typer.Option(help="What the table is sorted by: the most of it first.")] = By.error,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write one HTML page with a plot.")] = None,
    json: JsonOption = False,
) -> None:
    """Say of each layer of the source model what it computes in, what that costs in accuracy, and its time.

    The error is that of the model's outputs with this layer alone in int8.

    Example: edgekit why out/net-host.edgekit -o why.html
    """
    from edgekit.bundles import read_bundle
    from edgekit.reports import write_why
    from edgekit.reports.layer_sources import why as run

    with progress("edgekit why") as advance:
        found = run(
            read_bundle(bundle),
            source=source,
            calibration=calib,
            times=times,
            threads=threads,
            advance=advance,
        )
    page = write_why(found, out) if out else None
    if json:
        print_json({**found.facts(), "page": str(page) if page else None})
        return
    _print(found, by)
    if page:
        typer.echo(f"{page}  (opens without a network)")


def _print(found: Why, by: By) -> None:
    from edgekit.conversion.isa import isa_note

    if found.rows:
        columns = ["layer~", "op", "computes in", "MACs>", "alone>", "time>"]
        rows = [_row(row) for row in _sorted(found, by)]
        total = found.times.total_ms if found.times else 0.0
        rows += [[name, "", "", "", "", f"{ms / total:.1%}"] for name, ms in found.other if total]
        print_table(columns, rows, title=f"{found.model}, {found.precision} for {found.target}")
    if found.table:
        unseen = ", none of which weights were fitted on" if found.table.unseen else ""
        note(
            f"alone: SQNR of the outputs with this layer alone in int8, on {found.table.samples} samples{unseen}"
        )
    if found.times:
        times = found.times
        note(f"time: {times.total_ms:.3g} ms in operators, {times.kind}: {times.how}, {times.where}")
    if found.isa:
        note(isa_note(found.isa))
    for line in found.missing:
        note(f"not known: {line}")


def _sorted(found: Why, by: By) -> list[Row]:
    if by is By.time:
        return sorted(found.rows, key=lambda row: -(row.ms or 0.0))
    if by is By.error:
        return sorted(found.rows, key=lambda row: 1e9 if row.sqnr_db is None else row.sqnr_db)
    return list(found.rows)


def _row(row: Row) -> list[str]:
    return [
        row.node,
        row.op,
        f"{row.precision}: {row.reason}" if row.reason else row.precision or "-",
        "-" if row.macs_share is None else f"{row.macs_share:.1%}",
        "-" if row.sqnr_db is None else f"{row.sqnr_db:.1f} dB",
        "-" if row.time_share is None else f"{row.time_share:.1%}",
    ]
