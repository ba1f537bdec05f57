"""Run Arm's compiler on an int8 TFLite file and read what it predicts; whatever goes wrong is one line."""

from __future__ import annotations

import csv
import importlib.metadata
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tflite_graph import Graph

KIB = 1024
_REASON = re.compile(
    r"^Warning \(supported operators\) operator: (?P<op>\S+), ofm: '(?P<name>[^\n]*)'\nReason: (?P<why>[^\n]*)",
    re.M,
)


@dataclass(frozen=True)
class Hardware:
    """What Vela compiles for, in its own words: see its ``vela.ini``."""

    accelerator: str
    system_config: str
    memory_mode: str

    @property
    def arguments(self) -> list[str]:
        return [
            *("--accelerator-config", self.accelerator),
            *("--config", "Arm/vela.ini"),
            *("--system-config", self.system_config),
            *("--memory-mode", self.memory_mode),
        ]


@dataclass(frozen=True)
class Row:
    """One operator as Vela placed it."""

    name: str
    """Of the tensor it makes."""
    op: str
    on_npu: bool
    cycles: int


@dataclass(frozen=True)
class Compiled:
    """What Vela wrote and predicts for one inference."""

    path: Path
    clock_hz: int
    cycles: int
    sram_bytes: int
    flash_bytes: int
    dram_bytes: int
    rows: tuple[Row, ...]
    reasons: Mapping[str, str]
    """Tensor -> why the operator that makes it stays on the CPU."""


def version() -> str:
    return importlib.metadata.version("ethos-u-vela")


def compile_model(model: Path, hardware: Hardware, out: Path) -> Compiled:
    """Compile ``model`` into the folder ``out``. ValueError says where Vela fails, and at which operator."""
    done = _run(model, hardware, out)
    if done.returncode != 0:
        raise ValueError(_failure(model, hardware, out, done))
    summary = _only(out, "*_summary_*.csv")[0]
    rows = [
        Row(
            name=row["Name"],
            op=row["Original Operator"],
            on_npu=row["Target"] == "NPU",
            cycles=int(row["Op Cycles"]),
        )
        for row in _only(out, "*_per-layer.csv")
    ]
    return Compiled(
        path=out / f"{model.stem}_vela.tflite",
        clock_hz=round(float(summary["core_clock"])),
        cycles=round(float(summary["cycles_total"])),
        sram_bytes=_bytes(summary, "sram"),
        flash_bytes=_bytes(summary, "on_chip_flash") + _bytes(summary, "off_chip_flash"),
        dram_bytes=_bytes(summary, "dram"),
        rows=tuple(rows),
        reasons={found["name"]: found["why"] for found in _REASON.finditer(done.stdout)},
    )


def _run(model: Path, hardware: Hardware, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: its core is native code, and some graphs end it with a signal."""
    command = [
        *(sys.executable, "-m", "ethosu.vela", str(model), "--output-dir", str(out)),
        *(*hardware.arguments, "--verbose-performance", "--show-cpu-operations", *more),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr, sep="\n", flush=True)  # into the worker's log
    return done


def _only(out: Path, pattern: str) -> list[dict[str, str]]:
    """The rows of the one file that ``pattern`` matches."""
    found = list(out.glob(pattern))
    if len(found) != 1:
        raise ValueError(f"Vela {version()} wrote {len(found)} files like {pattern}, where one belongs")
    with found[0].open(newline="") as file:
        return list(csv.DictReader(file))


def _bytes(summary: Mapping[str, str], area: str) -> int:
    return round(float(summary[f"{area}_memory_used"]) * KIB)


def _failure(model: Path, hardware: Hardware, out: Path, done: subprocess.CompletedProcess[str]) -> str:
    """One line: what became of Vela, and the operator with which the beginning of the graph does not compile."""
    graph = Graph.read(model)
    operators = graph.operators
    compiles, fails = 0, len(operators)
    while fails - compiles > 1:
        middle = (compiles + fails) // 2
        part = out.with_name("part.tflite")
        part.write_bytes(graph.beginning(middle).packed())
        if _run(part, hardware, out).returncode == 0:
            compiles = middle
        else:
            fails = middle
    last = operators[fails - 1]
    before = f"{compiles} before it compile" if compiles else "the first of all"
    return (
        f"Vela {version()} {_end(done)} on a model for {hardware.accelerator}, at {graph.op(last)} "
        f"'{graph.name(last)}' ({before}): leave it out or write it in other operators"
    )


def _end(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"crashes ({signal.Signals(-done.returncode).name})"
    last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
    return f"fails ({last.strip() or f'status {done.returncode}'})"
