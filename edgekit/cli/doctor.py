"""``edgekit doctor``: what works on this machine, what is missing, and the line that installs it."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import typer

from edgekit.cli.facts import print_aligned
from edgekit.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from edgekit.doctor import Finding, Report


def doctor(json: JsonOption = False) -> None:
    """Say what works here, what is missing, and what to type; exit 1 where nothing could be converted.

    Example: edgekit doctor
    """
    from edgekit.doctor import examine

    report = examine()
    if json:
        print_json(_facts(report))
    else:
        for topic, findings in itertools.groupby(report.findings, key=lambda finding: finding.topic):
            typer.echo(topic)
            print_aligned([_row(finding) for finding in findings])
        typer.echo(_verdict(report))
    if not report.ok:
        raise typer.Exit(1)


def _row(finding: Finding) -> tuple[tuple[str, str], str]:
    step = f"\n> {finding.next_step}" if finding.next_step else ""
    return (f"{finding.status:<7}", finding.name), f"{finding.detail}{step}"


def _verdict(report: Report) -> str:
    warnings, missing = (
        sum(item.status == word for item in report.findings) for word in ("warning", "missing")
    )
    state = "ready" if report.ok else "not ready: something essential is missing"
    return f"{state}; warnings: {warnings}, missing: {missing}"


def _facts(report: Report) -> dict[str, object]:
    machine = dataclasses.asdict(report.machine) if report.machine else None
    if machine and report.machine:
        machine |= {"cpu": report.machine.cpu, "exact_int8": report.machine.exact_int8}
    return {
        "ok": report.ok,
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "machine": machine,
        "packages": report.packages,
    }
