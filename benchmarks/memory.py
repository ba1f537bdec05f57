"""Predicted against measured peak memory: every zoo model, runtime and precision, in one run.

    python benchmarks/memory.py [--models efficientnet-lite0,mobile] [--keep FOLDER] [--fit]
    python benchmarks/memory.py --on emulated:raspberry-pi-4

Each artifact is loaded and run in a runner of its own on one thread; peaks are the kernel's, on an emulated board less the
emulator's own pages. ``--fit`` measures the probes of ``memory_probes.py`` too, records all peaks of that architecture in
``edgekit/simulation/memory_measured.csv`` and fits the constants in ``memory.toml`` beside it; with ``--models``, what was
recorded of others stays. ``--refit`` measures nothing: it reckons the terms of all recorded peaks by the rules as they are
now, and fits. ``--keep`` keeps the bundles and takes those that are there.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import onnx

from benchmarks.candidates import built
from benchmarks.memory_probes import PROBES
from benchmarks.trials import quiet_home
from edgekit.conversion.candidates import Candidate
from edgekit.conversion.order import Intake, Order, take_in
from edgekit.conversion.plan import PRECISIONS
from edgekit.devices import Device, open_device
from edgekit.devices.emulated import SCHEME
from edgekit.errors import EdgekitError
from edgekit.models import Model
from edgekit.models.zoo import entries, resolve
from edgekit.profiling.measure import memory_by_phase
from edgekit.simulation.memory import CONSTANTS, computed_in, holdings_of
from edgekit.simulation.memory_fitting import (
    MEASURED,
    PROBE,
    Peak,
    elders_of,
    judge,
    read_peaks,
    write_peaks,
)
from edgekit.simulation.memory_holdings import Holdings
from edgekit.simulation.memory_terms import FIRST, MemoryRuntime, memory_terms
from edgekit.simulation.memory_writing import constants_text
from edgekit.vocabulary import Precision

FAMILIES = {
    "minilm-sentiment": "minilm", "minilm-int8": "minilm", "ppocrv4-cls": "ppocr", "ppocrv4-det": "ppocr",
    "ppocrv4-rec": "ppocr",
}  # fmt: skip
"""Models of one family stand or fall together."""
RUNTIMES: tuple[MemoryRuntime, ...] = ("onnxruntime", "openvino", "litert")
MEASURED_PRECISIONS: tuple[Precision, ...] = ("fp32", "int8", "int8-dynamic")
BAR = 15.0
_VARIANTS = {False: ("", "qdq"), True: ("", "nncf")}
"""Whose integers are measured: edgekit's; the tool's own of transformers."""
_SAMPLES = 8
_RUNS = {"measured": 5, "emulated": 2}
"""After the first; where a run takes seconds, as many as onnxruntime's arena needs to settle."""


def main() -> None:
    options = _options()
    wanted = options.models.split(",") if options.models else [*entries(), *(PROBES if options.fit else ())]
    board = Board(
        open_device(options.on), options.on.removeprefix(SCHEME) if options.on != "local" else "host"
    )
    with quiet_home() as scratch, ExitStack() as stack:
        if options.refit:
            recorded = by_todays_rules(read_peaks(), scratch)
            write(recorded)
            report(recorded)
            return
        kept = options.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="edgekit-memory-"))
        )
        peaks: list[Peak] = []
        for name in wanted:
            family = PROBE if name in PROBES else FAMILIES.get(name, name)
            for peak in measured(source(name, scratch), family, board, kept / board.target / name):
                print(f"{peak.model} {peak.runtime} {peak.precision}: {peak.peak / 1e6:.1f} MB", flush=True)
                peaks.append(peak)
        if options.fit:
            write(merged(peaks, whole=not options.models))
    report(peaks)


def source(name: str, scratch: Path) -> Path:
    """The file of a probe or of a zoo model."""
    if name not in PROBES:
        return resolve(name, lambda *_: None)
    path = scratch / f"{name}.onnx"
    onnx.save(PROBES[name](), path)
    return path


def write(peaks: Sequence[Peak]) -> None:
    write_peaks(peaks)
    CONSTANTS.write_text(constants_text(peaks), encoding="utf-8")


def by_todays_rules(peaks: Sequence[Peak], scratch: Path) -> list[Peak]:
    """Recorded peaks with the terms that the rules make of their models now."""
    held: dict[tuple[str, str], Holdings] = {}
    for name, precision in sorted({(peak.model, peak.precision) for peak in peaks}):
        order = order_of(source(name, scratch), "host", scratch / "out", data_free=name in PROBES)
        held[name, precision] = holdings_of(take_in(order).model, cast("Precision", precision))
    return [
        replace(
            peak,
            terms=memory_terms(
                held[peak.model, peak.precision], cast("MemoryRuntime", peak.runtime), peak.arch
            ),
        )
        for peak in peaks
    ]


def order_of(path: Path, target: str, out: Path, *, data_free: bool) -> Order:
    return Order(
        model=path, targets=(target,), out=out, samples=_SAMPLES, effort="fast", precisions=PRECISIONS,
        data_free=data_free,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    device: Device
    target: str
    """Whose candidates are measured there."""


def merged(peaks: Sequence[Peak], *, whole: bool) -> list[Peak]:
    """What is recorded, with ``peaks`` in the place of what they measured anew: on ``whole``, all of their architecture."""
    own = {peak.key for peak in peaks}
    arches = {peak.arch for peak in peaks} if whole else set[str]()
    kept = [peak for peak in read_peaks() if peak.key not in own and peak.arch not in arches]
    return sorted([*kept, *peaks], key=lambda peak: peak.arch != FIRST)


def measured(path: Path, family: str, board: Board, kept: Path) -> Iterator[Peak]:
    """Peaks of every artifact of the model at ``path``; why there is none is printed."""
    order = order_of(path, board.target, kept, data_free=family == PROBE)
    for candidate, intake, folder in built(order, _is_measured):
        assert candidate.precision is not None
        try:
            yield peak_of(
                folder, intake.model, family, computed_in(intake.model, candidate.precision), board.device
            )
        except EdgekitError as error:
            print(f"{path.stem} {candidate.label}: {str(error)[:120]}")


def _is_measured(intake: Intake, candidate: Candidate) -> bool:
    return candidate.precision in MEASURED_PRECISIONS and candidate.variant in _VARIANTS[intake.wish.is_text]


def peak_of(folder: Path, model: Model, family: str, precision: Precision, device: Device) -> Peak:
    """Load and run the bundle in a fresh process on ``device``."""
    with device.start(folder, threads=1) as session:
        record, context = memory_by_phase(session, _RUNS[device.kind]), session.ready
    arch = context["arch"]
    runtime = next(name for name in RUNTIMES if name == context["runtime"])
    return Peak(
        model=model.name,
        family=family,
        runtime=runtime,
        version=context["runtime_version"],
        precision=precision,
        arch=arch,
        kind=device.kind,
        measured={"load": record.load, "run": max(record.first, record.steady)},
        terms=memory_terms(holdings_of(model, precision), runtime, arch),
    )


def report(peaks: Sequence[Peak]) -> None:
    """Every zoo model, predicted without its family (the other families and the probes as recorded)."""
    own, every = {peak.key for peak in peaks}, merged(peaks, whole=False)
    errors: list[float] = []
    for key in sorted({peak.series for peak in peaks}):
        series = [peak for peak in every if peak.series == key]
        found = judge(series, elders_of(series, every))
        shown = [item for item in found if item.peak.key in own]
        print(f"\n{' '.join(key)}, MB  measured  predicted without its family  error")
        for item in shown:
            print(
                f"  {item.peak.model:24s} {item.peak.peak / 1e6:7.1f} {item.predicted / 1e6:7.1f}"
                f" {item.error:+7.1%}"
            )
        off = [100 * abs(item.error) for item in shown]
        errors += off
        if shown:
            print(f"  median {np.median(off):.1f} %, largest {max(off):.1f} %")
    if not errors:
        return
    print(
        f"\nall: {len(errors)} artifacts, median {np.median(errors):.1f} %, largest {max(errors):.1f} %; "
        f"within {BAR:g} %: {sum(error <= BAR for error in errors)}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", help="ids of the zoo or of probes, with commas; default: all of the zoo")
    parser.add_argument("--on", default="local", help="local or emulated:TARGET; default: %(default)s")
    parser.add_argument("--keep", type=Path, help="folder for the bundles")
    parser.add_argument(
        "--fit", action="store_true", help=f"record peaks in {MEASURED.name} and fit the constants"
    )
    parser.add_argument(
        "--refit", action="store_true", help="by the peaks that are recorded and the rules as they are now"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
