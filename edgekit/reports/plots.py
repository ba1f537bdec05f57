"""The plots of a report, as plotly figures: one function a plot, each from records alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from edgekit.bundles.manifest import Accuracy, Fidelity, Manifest, Timing
from edgekit.profiling.record import LatencyRecord, Measurement, MemoryRecord
from edgekit.reports.layers import Why
from edgekit.tuning.record import TuneRecord

# a palette that stays apart for the common colour-vision deficiencies (Okabe & Ito 2008)
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
INK, GRID, FONT = (
    "#1f2933",
    "#e4e7eb",
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
)
MEBIBYTE = 1 << 20
OPERATORS_SHOWN = 18
NAMED = 12
"""Up to so many points in the plane all are named; of more, those that were not dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One candidate in the accuracy-latency plane."""

    label: str
    ratio: float
    """Latency over the source model's, interleaved on one machine."""
    quality: float
    """Accuracy where labels exist, else agreement with the source; 0..1."""
    state: str
    """``kept``, ``front``, ``dropped`` or ``source``."""
    reason: str


def latency_distribution(named: Sequence[tuple[str, LatencyRecord]]) -> go.Figure:
    """Every sample of each run as a cumulative curve, with p50, p90 and p99 marked."""
    figure = go.Figure()
    for (name, latency), color in zip(named, _colors(len(named)), strict=True):
        ordered = sorted(latency.raw_ms)
        shares = [100.0 * (index + 1) / len(ordered) for index in range(len(ordered))]
        figure.add_scatter(
            x=ordered, y=shares, mode="lines", line={"shape": "hv", "color": color, "width": 2}, name=name,
            hovertemplate="%{y:.0f} % of inferences took at most %{x:.3f} ms<extra></extra>",
        )  # fmt: skip
        marks = {"p50": (latency.p50, 50), "p90": (latency.p90, 90), "p99": (latency.p99, 99)}
        figure.add_scatter(
            x=[value for value, _ in marks.values()], y=[share for _, share in marks.values()],
            mode="markers+text", text=list(marks), textposition="bottom right", showlegend=False,
            marker={"color": color, "size": 8}, textfont={"color": color}, hoverinfo="skip",
        )  # fmt: skip
    slowest = max(latency.p99 for _, latency in named)
    fastest = min(min(latency.raw_ms) for _, latency in named)
    figure.update_xaxes(title="latency of one inference, ms", range=[fastest * 0.95, slowest * 1.25])
    figure.update_yaxes(title="share of inferences, %", range=[0, 103])
    return _styled(figure, height=320, legend=len(named) > 1)


def memory_by_phase(named: Sequence[tuple[str, MemoryRecord]]) -> go.Figure:
    """Peak resident memory of each phase, grouped by run."""
    phases = ("base", "load", "first", "steady")
    titles = ["runtime imported", "model loaded", "first inference", "steady"]
    figure = go.Figure()
    for (name, memory), color in zip(named, _colors(len(named)), strict=True):
        values = [getattr(memory, phase) / MEBIBYTE for phase in phases]
        figure.add_bar(
            x=titles, y=values, name=name, marker_color=color, text=[f"{value:.0f}" for value in values],
            textposition="outside", cliponaxis=False, hovertemplate="%{x}: %{y:.1f} MiB<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(title="peak resident memory, MiB", rangemode="tozero")
    figure.update_layout(barmode="group", bargap=0.35)
    return _styled(figure, height=320, legend=len(named) > 1)


def time_by_operator(run: Measurement) -> go.Figure:
    """The operators that take the most time, slowest on top; the rest in one bar."""
    ordered = sorted(run.operators, key=lambda row: row.ms, reverse=True)
    rest = ordered[OPERATORS_SHOWN:]
    labels = [f"{_shortened(row.name)}  ·  {row.op}" for row in ordered[:OPERATORS_SHOWN]]
    values = [row.ms for row in ordered[:OPERATORS_SHOWN]]
    if rest:
        labels.append(f"{len(rest)} more")
        values.append(sum(row.ms for row in rest))
    total = sum(values) or 1.0
    figure = go.Figure(
        go.Bar(
            x=values, y=_distinct(labels), orientation="h",
            marker_color=[PALETTE[0]] * min(len(ordered), OPERATORS_SHOWN) + ["#9aa5b1"] * bool(rest),
            text=[f"{value:.3f} ms · {100 * value / total:.0f} %" for value in values], textposition="outside",
            cliponaxis=False, hovertemplate="%{y}: %{x:.4f} ms<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", automargin=True, tickfont={"size": 11})
    figure.update_xaxes(title="ms per inference", range=[0, max(values, default=1.0) * 1.25])
    return _styled(figure, height=90 + 24 * len(labels), legend=False)


def time_by_operator_type(run: Measurement) -> go.Figure:
    """Share of the time by operator type."""
    by_type: dict[str, float] = defaultdict(float)
    for row in run.operators:
        by_type[row.op] += row.ms
    ordered = sorted(by_type.items(), key=lambda item: item[1], reverse=True)
    figure = go.Figure(
        go.Pie(
            labels=[name for name, _ in ordered], values=[value for _, value in ordered], hole=0.55, sort=False,
            marker={"colors": [PALETTE[index % 6] for index in range(len(ordered))]}, textinfo="label+percent",
            textposition="auto", hovertemplate="%{label}: %{value:.3f} ms<extra></extra>",
        )
    )  # fmt: skip
    return _styled(figure, height=320, legend=False)


def layers(why: Why) -> go.Figure:
    """Error of each layer alone above, its part of arithmetic and time below, in running order."""
    names = _distinct([_shortened(row.node, 28) for row in why.rows])
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.55, 0.45])
    looks = (("int8", PALETTE[0], "circle"), ("kept in float", PALETTE[1], "diamond"))
    for name, color, symbol in looks:
        chosen = [
            (label, row)
            for label, row in zip(names, why.rows, strict=True)
            if row.sqnr_db is not None and (row.precision == "float") == (name != "int8")
        ]
        if chosen:
            figure.add_scatter(
                x=[label for label, _ in chosen], y=[row.sqnr_db for _, row in chosen], mode="markers",
                name=name, marker={"color": color, "size": 9, "symbol": symbol}, row=1, col=1,
                customdata=[row.reason for _, row in chosen],
                hovertemplate="%{x}: %{y:.1f} dB %{customdata}<extra></extra>",
            )  # fmt: skip
    shares = (
        ("MACs", "#9aa5b1", [row.macs_share for row in why.rows]),
        ("time", PALETTE[2], [row.time_share for row in why.rows]),
    )
    for name, color, values in shares:
        if any(value is not None for value in values):
            figure.add_bar(
                x=names, y=[100 * (value or 0.0) for value in values], name=name, marker_color=color,
                hovertemplate=f"%{{x}}: %{{y:.1f}} % of the {name}<extra></extra>", row=2, col=1,
            )  # fmt: skip
    figure.update_yaxes(title="alone in int8, dB", row=1, col=1)
    figure.update_yaxes(title="share, %", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(tickangle=-60, tickfont={"size": 10}, categoryorder="array", categoryarray=names)
    figure.update_layout(barmode="group", bargap=0.2)
    return _styled(figure, height=560, legend=True)


def candidates_plane(points: Sequence[Point], quality: str) -> go.Figure:
    """Quality against latency: what was kept, and what was dropped and why (on hover)."""
    figure = go.Figure()
    looks = {
        "source": ("source model", "#616e7c", "diamond"),
        "kept": ("kept", PALETTE[2], "circle"),
        "front": ("on the front", PALETTE[0], "circle-open"),
        "dropped": ("dropped", PALETTE[1], "x"),
    }
    for state, (name, color, symbol) in looks.items():
        chosen = [point for point in points if point.state == state]
        if chosen:
            figure.add_scatter(
                x=[point.ratio for point in chosen], y=[100 * point.quality for point in chosen], name=name,
                mode="markers", marker={"color": color, "size": 13, "symbol": symbol},
                customdata=[(point.label, point.reason) for point in chosen],
                hovertemplate="%{customdata[0]}<br>%{x:.2f} × the source's latency<br>%{y:.2f} %"
                "<br>%{customdata[1]}<extra></extra>",
            )  # fmt: skip
    named = [point for point in points if point.state != "dropped" or len(points) <= NAMED]
    for point, (level, side) in _label_places(named).items():
        figure.add_annotation(
            x=point.ratio, y=100 * point.quality, text=point.label, showarrow=True, arrowhead=0, arrowwidth=0.5,
            arrowcolor="#9aa5b1", ax=0, ay=side * (18 + 15 * level), font={"size": 11},
        )  # fmt: skip
    figure.add_vline(x=1.0, line={"color": "#9aa5b1", "dash": "dot", "width": 1})
    figure.update_xaxes(title="latency, as a ratio to the source model (left is faster)", rangemode="tozero")
    lowest, highest = min(p.quality for p in points), max(p.quality for p in points)
    margin = max(0.5, 100 * (highest - lowest) * 0.4)
    figure.update_yaxes(
        title=f"{quality}, %", range=[100 * lowest - margin, min(100 * highest + margin, 101.0)]
    )
    return _styled(figure, height=360, legend=True)


def _label_places(points: Sequence[Point]) -> dict[Point, tuple[int, int]]:
    """How far from its mark each label stands, and on which side (-1 above, 1 below): neighbours step aside."""
    span = max((point.ratio for point in points), default=1.0)
    places: dict[Point, tuple[int, int]] = {}
    for index, point in enumerate(ordered := sorted(points, key=lambda point: point.ratio)):
        near = sum(1 for other in ordered[:index] if point.ratio - other.ratio < 0.2 * span)
        places[point] = (near // 2, -1 if near % 2 == 0 else 1)
    return places


class Judged(Protocol):
    """What was found about a candidate, kept or dropped."""

    @property
    def fidelity(self) -> Fidelity | None: ...
    @property
    def accuracy(self) -> Accuracy | None: ...
    @property
    def timing(self) -> Timing | None: ...


def candidate_points(manifest: Manifest) -> tuple[list[Point], str]:
    """The candidates of one bundle that were timed and checked, and the name of the quality they share."""
    kept = _point(
        manifest, _label(manifest.converter, manifest.artifact.precision, manifest.variant), "kept", "",
        labelled=manifest.accuracy is not None,
    )  # fmt: skip
    others = [
        _point(
            row, _label(row.converter, row.precision, row.variant), "dropped", row.reason,
            labelled=manifest.accuracy is not None,
        )
        for row in (*manifest.candidates, *manifest.dropped)
    ]  # fmt: skip
    points = [point for point in (kept, *others) if point is not None]
    if points:
        quality = manifest.accuracy.source if manifest.accuracy else 1.0
        points.append(
            Point(label="source", ratio=1.0, quality=quality, state="source", reason="fp32, onnxruntime")
        )
    return points, manifest.accuracy.metric if manifest.accuracy else "agreement with the source"


def search_points(record: TuneRecord) -> tuple[list[Point], str]:
    """The trials of one search that have figures, and the name of the quality they share."""
    metric, source = "agreement with the source", 1.0
    points = []
    for trial in (trial for trial in record.trials if trial.sound):
        state = "front" if trial.number in record.front else "dropped"
        if trial.accuracy:
            metric, source = trial.accuracy.metric, trial.accuracy.source
        point = _point(
            trial, trial.point.label, "kept" if trial.number == record.chosen else state, f"trial {trial.number}",
            labelled=trial.accuracy is not None,
        )  # fmt: skip
        points += [point] if point else []
    if points:
        words = f"as it was given, threads: {record.source_threads}"
        points.append(Point(label="source", ratio=1.0, quality=source, state="source", reason=words))
    return points, metric


def _point(row: Judged, label: str, state: str, reason: str, *, labelled: bool) -> Point | None:
    if labelled:
        quality = row.accuracy.artifact if row.accuracy else None
    else:
        quality = row.fidelity.agreement if row.fidelity else None
    if row.timing is None or quality is None:
        return None
    return Point(label=label, ratio=row.timing.ratio, quality=quality, state=state, reason=reason)


def _label(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _colors(count: int) -> list[str]:
    return [PALETTE[index % len(PALETTE)] for index in range(count)]


def _distinct(labels: Sequence[str]) -> list[str]:
    """plotly merges bars of one label; invisible marks keep operators of one name apart."""
    return [label + "\u200b" * labels[:index].count(label) for index, label in enumerate(labels)]


def _shortened(name: str, longest: int = 44) -> str:
    return name if len(name) <= longest else f"…{name[-longest + 1 :]}"


def _styled(figure: go.Figure, *, height: int, legend: bool) -> go.Figure:
    figure.update_layout(
        template="none", height=height, showlegend=legend, margin={"l": 70, "r": 30, "t": 20, "b": 55},
        font={"family": FONT, "size": 13, "color": INK}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.12, "x": 0}, hoverlabel={"font": {"family": FONT}},
    )  # fmt: skip
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
