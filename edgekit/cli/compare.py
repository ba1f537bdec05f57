"""``edgekit compare``: is B slower, faster or as fast as A?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.options import ShapeOption, ThreadsOption, read_shapes
from edgekit.cli.output import JsonOption, note, print_json, print_table, progress
from edgekit.errors import GateFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.profiling.comparison import Comparison, Metric
    from edgekit.profiling.gates import GateResult


def compare(
    a: Annotated[str, typer.Argument(help="Bundle, model file, zoo id, or .json file of profile -o.")],
    b: Annotated[str, typer.Argument(help="The same; it is judged against A.")],
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", help="Exit 1 where B does this: 'p99>+5%', 'p50>20ms'; repeatable."),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the gates as JUnit XML to this file.")] = None,
    on: Annotated[str, typer.Option("--on", help="Device.")] = "local",
    threads: ThreadsOption = 1,
    duration: Annotated[float, typer.Option(min=0.1, help="Seconds of timed inferences of both.")] = 20.0,
    shape: ShapeOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether B is better, worse or the same as A, and how small a difference would have been found.

    Two bundles are measured now, in turn, in eight pairs of processes: that finds the smallest differences. Files
    of earlier measurements are compared with what neighbours, clock and chance may have added to either. On an
    emulated device instructions are compared, which every machine counts alike, a shared one too: 'instructions>+1%'.

    Example: edgekit compare old.edgekit new.edgekit --fail-if 'p50>+3%' --fail-if 'memory>+10%'
    """
    from edgekit.devices import open_device
    from edgekit.profiling.compare import compare as run
    from edgekit.profiling.gates import check_gates, parse_gate
    from edgekit.profiling.junit import write_junit

    gates = [parse_gate(text) for text in fail_if or []]
    shapes = read_shapes(shape)
    with progress("edgekit compare") as advance, closing(open_device(on, told=note)) as device:
        comparison = run(a, b, device, threads=threads, duration_s=duration, shapes=shapes, advance=advance)
    results = check_gates(gates, comparison)
    if junit:
        write_junit(junit, comparison, results)
    if json:
        print_json({**comparison.facts(), "gates": [result.facts() for result in results]})
    else:
        _print(comparison, results)
    failed = [f"{result.gate.text}: {result.detail}" for result in results if result.status == "failed"]
    if failed:
        raise GateFailedError("gate failed: " + "; ".join(failed))


def _print(comparison: Comparison, results: Sequence[GateResult]) -> None:
    title = f"A {comparison.a}, B {comparison.b} ({comparison.kind} on {comparison.device}, {comparison.how})"
    columns = ["metric", "A>", "B>", "B / A>", "95% CI>", "verdict", "would find>"]
    print_table(columns, [_row(metric) for metric in comparison.metrics], title=title)
    for result in results:
        typer.echo(f"{result.status}: {result.gate.text}: {result.detail}")
    typer.echo(f"B is {_WORDS[comparison.verdict]} A")
    for line in comparison.notes:
        note(line)


_UNITS = {"ms": "ms", "bytes": "MB", "instructions": "M"}
_WORDS = {"same": "no different from", "better": "better than", "worse": "worse than"}


def _row(metric: Metric) -> list[str]:
    return [
        f"{metric.name}, {_UNITS[metric.unit]}",
        _amount(metric, metric.a),
        _amount(metric, metric.b),
        f"{metric.ratio:.3f}",
        f"{metric.ci_low:.3f}-{metric.ci_high:.3f}",
        metric.verdict,
        f"{metric.resolvable:.1%}" if metric.resolvable < 1 else "over 100%",
    ]


def _amount(metric: Metric, value: float) -> str:
    return f"{value:.2f}" if metric.unit == "ms" else f"{value / 1e6:.1f}"
