"""Put evidence into one HTML file that needs no network: text first, plots beside it, provenance at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import plotly.graph_objects as go
import plotly.io
import plotly.offline

from edgekit import __version__
from edgekit.errors import DataError
from edgekit.profiling.record import Measurement
from edgekit.reports import plots
from edgekit.reports.layers import Why
from edgekit.reports.sources import Evidence

PLOT_OPTIONS = {"displayModeBar": False, "responsive": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled plot with the sentence that says how to read it."""

    title: str
    reading: str
    plot: str


def write_report(evidence: Evidence, out: Path, *, title: str | None = None) -> Path:
    """Write ``out`` whole or not at all; raises DataError where there is nothing to show or no place for it."""
    if not evidence.manifests and not evidence.measurements and not evidence.searches:
        raise DataError("nothing to report: give bundles (*.edgekit), measurements or searches (*.json)")
    return _write(render(evidence, title=title or _title(evidence)), out)


def write_why(why: Why, out: Path) -> Path:
    """One page about a bundle's layers, whole or not at all; DataError where there is no place for it."""
    return _write(render_why(why), out)


def _write(page: str, out: Path) -> Path:
    staging = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging.write_text(page, encoding="utf-8")
        staging.replace(out)
    except OSError as error:
        raise DataError(f"{out}: the report cannot be written: {error.strerror}") from error
    return out


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edgekit.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(bytes=_bytes, ms=_ms, percent=_percent, millions=_millions)
    environment.globals.update(
        version=__version__,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        plotly_js=plotly.offline.get_plotlyjs(),
    )
    return environment


def render_why(why: Why) -> str:
    """The page's HTML."""
    return (
        _environment()
        .get_template("why.html.j2")
        .render(
            title=f"Why {why.model} for {why.target} is as it is",
            why=why,
            plot=_html(plots.layers(why)) if why.rows else "",
        )
    )


def render(evidence: Evidence, *, title: str) -> str:
    """The page's HTML."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            manifests=evidence.manifests,
            measurements=evidence.measurements,
            counted=_counted(evidence.measurements),
            candidate_sections=[*_candidate_sections(evidence), *_search_sections(evidence)],
            run_sections=_run_sections(evidence.measurements),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Measurements with instructions, and what their table has columns for."""

    runs: tuple[Measurement, ...]
    classes: tuple[str, ...]
    """Those that any of them has, the commonest first."""
    levels: tuple[str, ...]


def _counted(runs: Sequence[Measurement]) -> Counted | None:
    counted = [(run, run.instructions) for run in runs if run.instructions]
    if not counted:
        return None
    sums: dict[str, int] = {}
    for _, found in counted:
        for name, count in found.by_class.items():
            sums[name] = sums.get(name, 0) + count
    levels = dict.fromkeys(level for _, found in counted for level in found.cache_misses)
    return Counted(
        runs=tuple(run for run, _ in counted),
        classes=tuple(name for name in sorted(sums, key=lambda name: -sums[name]) if sums[name]),
        levels=tuple(sorted(levels)),
    )


def _title(evidence: Evidence) -> str:
    models = [
        *(manifest.model.name for manifest in evidence.manifests),
        *(run.model for run in evidence.measurements),
        *(search.model for search in evidence.searches),
    ]
    return "edgekit report: " + ", ".join(dict.fromkeys(models))


def _candidate_sections(evidence: Evidence) -> list[Section]:
    sections = []
    for manifest in evidence.manifests:
        points, quality = plots.candidate_points(manifest)
        if points:
            reading = "Up and to the left is better. Left of the dotted line is faster than the source model."
            if manifest.timing:
                reading += f" Interleaved on {manifest.timing.machine}, {manifest.timing.threads} thread(s)."
            sections.append(
                Section(
                    title=f"{manifest.model.name} for {manifest.target}: accuracy against latency",
                    reading=reading,
                    plot=_html(plots.candidates_plane(points, quality)),
                )
            )
    return sections


def _search_sections(evidence: Evidence) -> list[Section]:
    sections = []
    for record in evidence.searches:
        points, quality = plots.search_points(record)
        if points:
            final = f", {len(record.final.finalists)} of them once more in one run" if record.final else ""
            reading = (
                f"{len(record.trials)} trials of {record.points} points, each timed in turn with the source model on "
                f"{record.machine}{final}. On the front are those that no other one beats in latency, memory and accuracy; "
                "the others say on hover what they are."
            )
            sections.append(
                Section(
                    title=f"{record.model} for {record.target}: what the search found",
                    reading=reading,
                    plot=_html(plots.candidates_plane(points, quality)),
                )
            )
    return sections


def _run_sections(runs: Sequence[Measurement]) -> list[Section]:
    if not runs:
        return []
    named = _named(runs)
    timed = [(name, run.latency_ms) for name, run in named if run.latency_ms is not None]
    sections = []
    if timed:
        reading = "Each step is one inference; a steep curve is a steady latency, a long tail to the right is jitter."
        sections.append(
            Section(
                title="Latency distribution", reading=reading, plot=_html(plots.latency_distribution(timed))
            )
        )
    weighed = [(name, run.memory_bytes) for name, run in named if run.memory_bytes is not None]
    if weighed:
        method = "; ".join(dict.fromkeys(memory.method for _, memory in weighed))
        sections.append(
            Section(
                title="Memory by phase",
                reading=f"Highest resident memory of the runner's process in each phase. {method}",
                plot=_html(plots.memory_by_phase(weighed)),
            )
        )
    for name, run in named:
        if run.operators:
            whole = (
                "Time of each operator of one inference, in the source model's names where they are known."
            )
            sections.append(
                Section(
                    title=f"Time by operator: {name}", reading=whole, plot=_html(plots.time_by_operator(run))
                )
            )
            sections.append(
                Section(
                    title=f"Time by operator type: {name}",
                    reading="The same time, summed over operators of one type.",
                    plot=_html(plots.time_by_operator_type(run)),
                )
            )
    return sections


def _named(runs: Sequence[Measurement]) -> list[tuple[str, Measurement]]:
    """A short name for each run, numbered where two would be the same."""
    names = [f"{run.model} {run.precision} {run.converter}, {run.device}" for run in runs]
    return [
        (f"{name} ({index + 1})" if names.count(name) > 1 else name, run)
        for index, (name, run) in enumerate(zip(names, runs, strict=True))
    ]


def _html(figure: go.Figure) -> str:
    return str(plotly.io.to_html(figure, include_plotlyjs=False, full_html=False, config=PLOT_OPTIONS))


def _bytes(count: int | None) -> str:
    if count is None:
        return "–"
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count / 1024:.1f} KiB"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g} ms" if value < 100 else f"{value:.0f} ms"


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"
