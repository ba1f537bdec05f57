"""Conditions on a comparison: ``p99>+5%``, ``p50>20ms``, ``memory>100MB``, ``instructions>+1%``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.errors import EdgekitError
from edgekit.profiling.comparison import Comparison, Metric, MetricName

METRICS: dict[str, MetricName] = {
    "p50": "p50",
    "latency_p50": "p50",
    "p90": "p90",
    "latency_p90": "p90",
    "p99": "p99",
    "latency_p99": "p99",
    "cold_start": "cold_start",
    "memory": "memory",
    "memory_peak": "memory",
    "instructions": "instructions",
}
_TIMES = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_UNITS: dict[MetricName, dict[str, float]] = {
    "memory": {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9},
    "instructions": {"k": 1e3, "M": 1e6, "G": 1e9},
}
"""Of metrics that are no times."""
_FORM = re.compile(
    r"^\s*(?P<metric>\w+)\s*>\s*(?P<plus>\+)?(?P<number>\d+(\.\d+)?)\s*(?P<unit>%|[A-Za-z]+)?\s*$"
)
_HELP = (
    "write METRIC>+N% for a rise over A, or METRIC>N with ms, s, MB, GB or M: 'p99>+5%', 'p50>20ms', 'memory>100MB', "
    "'instructions>+1%'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Fails where ``metric`` rises by more than a share of A, or lies above a limit."""

    text: str
    metric: MetricName
    relative: bool
    limit: float
    """A share for ``relative``, else ms, bytes or instructions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """``inconclusive``: within the limit as measured, but the interval reaches over it."""

    gate: Gate
    status: Literal["passed", "inconclusive", "failed"]
    detail: str

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {"gate": self.gate.text, "status": self.status, "detail": self.detail}


def parse_gate(text: str) -> Gate:
    """Read one condition; EdgekitError says what is wrong with it and how to write it."""
    match = _FORM.match(text)
    if match is None:
        raise EdgekitError(f"--fail-if '{text}': not a condition; {_HELP}")
    metric = METRICS.get(match["metric"])
    if metric is None:
        near = difflib.get_close_matches(match["metric"], METRICS, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise EdgekitError(
            f"--fail-if '{text}': no metric '{match['metric']}'; {hint}known: {', '.join(METRICS)}"
        )
    if bool(match["plus"]) != (match["unit"] == "%"):
        raise EdgekitError(
            f"--fail-if '{text}': a rise is written with + and %, a limit with neither; {_HELP}"
        )
    limit = float(match["number"]) * _factor(text, metric, match["unit"])
    return Gate(text=text, metric=metric, relative=bool(match["plus"]), limit=limit)


def check_gates(gates: list[Gate], comparison: Comparison) -> list[GateResult]:
    """Each gate on the comparison. EdgekitError where a metric was not measured."""
    return [_check(gate, _measured(gate, comparison)) for gate in gates]


def _factor(text: str, metric: MetricName, unit: str | None) -> float:
    if unit == "%":
        return 0.01
    fitting = _UNITS.get(metric, _TIMES)
    if unit is None or unit not in fitting:
        raise EdgekitError(f"--fail-if '{text}': {metric} needs one of the units {', '.join(fitting)}, or %")
    return fitting[unit]


def _measured(gate: Gate, comparison: Comparison) -> Metric:
    metric = comparison.metric(gate.metric)
    if metric is None:
        raise EdgekitError(f"--fail-if '{gate.text}': {gate.metric} was not measured in both")
    return metric


def _check(gate: Gate, metric: Metric) -> GateResult:
    if not gate.relative:
        status: Literal["passed", "failed"] = "failed" if metric.b > gate.limit else "passed"
        detail = f"{_amount(metric.b, metric.unit)}, limit {_amount(gate.limit, metric.unit)}"
        return GateResult(gate=gate, status=status, detail=detail)
    rise, low, high = metric.ratio - 1, metric.ci_low - 1, metric.ci_high - 1
    digits = 2 if metric.unit == "instructions" else 1
    shares = (f"{share:+.{digits}%}" for share in (rise, low, high, gate.limit))
    detail = "{} ({} to {}), limit {}".format(*shares)
    if rise > gate.limit and metric.verdict == "worse":
        return GateResult(gate=gate, status="failed", detail=detail)
    if high > gate.limit:
        advice = "; a longer --duration or a quieter machine would tell"
        return GateResult(gate=gate, status="inconclusive", detail=detail + advice)
    return GateResult(gate=gate, status="passed", detail=detail)


def _amount(value: float, unit: str) -> str:
    return f"{value:.2f} ms" if unit == "ms" else f"{value / 1e6:.1f} {'MB' if unit == 'bytes' else 'M'}"
