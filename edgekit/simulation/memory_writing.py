"""Fitted constants of memory as the text of ``memory.toml``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tomlkit

from edgekit.simulation.memory_fitting import PROBE, Judged, Peak, by_series, elders_of, fit_memory, judge
from edgekit.simulation.memory_terms import NAMES, PHASES, Terms

_HEAD = """\
# Resident memory of a runner by what its model holds: fitted by benchmarks/memory.py --fit to the peaks in
# memory_measured.csv, by the terms of memory_terms.py. error_pct: of zoo models predicted without their family.
# emulated: with --on emulated:raspberry-pi-4; where that says nothing, constants are held to those of x86_64.
"""
_WITHIN = 0.85
"""Share of held-out peaks inside the interval; five points over what is promised, as ranks are estimates."""
_DIGITS = 4


def constants_text(peaks: Sequence[Peak]) -> str:
    """The file: one entry for each runtime, precision and architecture that was measured."""
    document = tomlkit.parse(_HEAD)
    entries = tomlkit.aot()
    for series in by_series(peaks).values():
        entries.append(_entry(series, elders_of(series, peaks)))
    document.append("memory", entries)
    return tomlkit.dumps(document)


def _entry(series: Sequence[Peak], elders: Sequence[Peak]) -> tomlkit.items.Table:
    judged, constants = judge(series, elders), fit_memory(series, elders)
    off = [100 * abs(item.error) for item in judged]
    table = tomlkit.table()
    table["runtime"], table["precision"] = series[0].runtime, series[0].precision
    table["version"] = series[0].version
    table["arch"], table["kind"] = series[0].arch, series[0].kind
    table["measurements"] = len(series)
    table["families"] = len({peak.family for peak in series} - {PROBE})
    # a few models that came out well are no reason to be surer than of many
    table["interval_factor"] = max(interval_factor(each) for each in (judged, judge(elders)) if each)
    error = tomlkit.inline_table()
    error.update({name: round(value, 1) for name, value in (
        ("median", float(np.median(off))), ("p90", float(np.quantile(off, 0.9))), ("largest", max(off)),
    )})  # fmt: skip
    table["error_pct"] = error
    for phase in PHASES:
        inline = tomlkit.inline_table()
        inline.update(_named(constants[phase]))
        table[phase] = inline
    table.add(tomlkit.nl())
    return table


def interval_factor(judged: Sequence[Judged]) -> float:
    """What to divide and multiply a prediction by, for four of five peaks to lie between."""
    off = np.abs(np.log([1 + item.error for item in judged]))
    return float(f"{np.exp(np.quantile(off, _WITHIN)):.{_DIGITS}g}")


def _named(constants: Terms) -> dict[str, float]:
    named = zip(NAMES, constants.tolist(), strict=True)
    return {name: float(f"{value:.{_DIGITS}g}") for name, value in named if value > 0}
