"""``edgekit report``: one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.output import JsonOption, print_json


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Bundles (*.edgekit), measurements (*.json of profile -o), tune.json."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The HTML file to write.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    json: JsonOption = False,
) -> None:
    """Write one HTML page that needs no network: what was made, tried and measured, with plots.

    Example: edgekit report net-host.edgekit net-host.json -o report.html
    """
    from edgekit.reports import read_evidence, write_report

    evidence = read_evidence(runs)
    written = write_report(evidence, out, title=title)
    if json:
        print_json(
            {
                "report": str(written),
                "bundles": len(evidence.manifests),
                "measurements": len(evidence.measurements),
                "searches": len(evidence.searches),
            }
        )
    else:
        typer.echo(f"{written}  ({written.stat().st_size / 1e6:.1f} MB, opens without a network)")
