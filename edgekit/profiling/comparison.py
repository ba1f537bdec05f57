"""What a comparison says: a ratio and its interval for each metric, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgekit.profiling.statistics import resolvable

Verdict = Literal["same", "better", "worse"]
MetricName = Literal["p50", "p90", "p99", "cold_start", "memory", "instructions"]
Unit = Literal["ms", "bytes", "instructions"]
SMALLEST: dict[MetricName, float] = {
    "p50": 0.01,
    "p90": 0.02,
    "p99": 0.02,
    "cold_start": 0.03,
    "memory": 0.02,
    "instructions": 0.001,
}
"""A relative change below this is called the same however sure it is: it is the process's memory layout, not the
artifact. Two processes of one bundle differ by up to 0.5 % in p50 and 1 % in memory."""
DECIDING: tuple[MetricName, ...] = ("p50", "memory", "instructions")
"""What the verdict on the whole stands on; p50 and instructions never come
together. Five metrics at 5 % each would cry wolf in one comparison of five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """``b`` against ``a``; smaller is better for every metric."""

    name: MetricName
    unit: Unit
    a: float
    b: float
    ratio: float
    """b / a at equal conditions, as far as these can be told."""
    ci_low: float
    ci_high: float
    basis: str
    """What the ratio is of, e.g. processor time."""

    @property
    def verdict(self) -> Verdict:
        if self.ci_low > 1 and self.ratio > 1 + SMALLEST[self.name]:
            return "worse"
        if self.ci_high < 1 and self.ratio < 1 - SMALLEST[self.name]:
            return "better"
        return "same"

    @property
    def resolvable(self) -> float:
        """Relative change that would have been found four times out of five."""
        return max(SMALLEST[self.name], resolvable(self.ci_low, self.ci_high))

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "a": self.a,
            "b": self.b,
            "ratio": self.ratio,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "verdict": self.verdict,
            "resolvable_pct": self.resolvable * 100,
            "basis": self.basis,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All metrics of ``b`` against ``a``."""

    a: str
    b: str
    how: Literal["interleaved", "stored", "counted"]
    device: str
    kind: str
    metrics: tuple[Metric, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """``worse`` where p50, memory or instructions are; else ``better`` where one of them is."""
        found = {metric.verdict for metric in self.metrics if metric.name in DECIDING}
        if "worse" in found:
            return "worse"
        return "better" if "better" in found else "same"

    def metric(self, name: MetricName) -> Metric | None:
        """The metric of that name, where it was measured."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "verdict": self.verdict,
            "a": self.a,
            "b": self.b,
            "how": self.how,
            "device": self.device,
            "kind": self.kind,
            "metrics": [metric.facts() for metric in self.metrics],
            "notes": list(self.notes),
        }
