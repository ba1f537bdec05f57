"""What one inference takes on an emulated core: instructions by class and misses of its data caches."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RECORDED = Path(__file__).with_name("emulated_counts.csv")
"""Counts of the models whose latencies were published, written by ``benchmarks/emulated_counts.py``."""
CLASSES = (
    "fma", "int_mac", "dot", "i8mm", "vector", "vector_load", "vector_store", "load", "store", "branch", "scalar",
)  # fmt: skip
"""Of instructions, as the plugin tells them apart."""
LEVELS = ("l1", "l2", "l3")
_OWN = ("model", "runtime", "version", "precision", "core")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One inference on one thread, in a steady state."""

    model: str
    runtime: str
    version: str
    precision: str
    """Of the model; ncnn computes floats in half precision where the core can."""
    core: str
    cache_bytes: tuple[int, ...]
    """Of the simulated data caches, the nearest first."""
    by_class: Mapping[str, int]
    cache_misses: Mapping[str, int]
    written_misses: Mapping[str, int]
    """Those of ``cache_misses`` that stores made; empty of what was counted before they were told apart."""


@cache
def recorded(path: Path = RECORDED) -> tuple[Counted, ...]:
    """Every count that was recorded."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            Counted(
                **{name: row[name] for name in _OWN},
                cache_bytes=tuple(int(row[f"{level}_bytes"]) for level in LEVELS if row[f"{level}_bytes"]),
                by_class={name: int(row[name]) for name in CLASSES},
                cache_misses=_by_level(row, "misses"),
                written_misses=_by_level(row, "written"),
            )
            for row in csv.DictReader(file)
        )


def _by_level(row: Mapping[str, str], kind: str) -> dict[str, int]:
    return {level: int(row[f"{level}_{kind}"]) for level in LEVELS if row[f"{level}_{kind}"]}


def record(counts: Iterable[Counted], path: Path = RECORDED) -> None:
    """Write ``counts`` and nothing else to ``path``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            (
                *_OWN,
                *(f"{level}_bytes" for level in LEVELS),
                *CLASSES,
                *(f"{level}_misses" for level in LEVELS),
                *(f"{level}_written" for level in LEVELS),
            )
        )
        for item in counts:
            sizes = (*item.cache_bytes, "", "", "")[: len(LEVELS)]
            writer.writerow(
                (
                    *(getattr(item, name) for name in _OWN),
                    *sizes,
                    *(item.by_class[name] for name in CLASSES),
                    *(item.cache_misses.get(level, "") for level in LEVELS),
                    *(item.written_misses.get(level, "") for level in LEVELS),
                )
            )
