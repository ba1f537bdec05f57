"""Predicted against measured peak memory: every zoo model, runtime and precision, in one run.

    python benchmarks/memory.py [--models efficientnet-lite0,minilm] [--keep FOLDER] [--fit]

Each artifact is loaded and run in a runner of its own on one thread; peaks are the kernel's. ``--fit`` measures the
probes of ``memory_probes.py`` too, records all peaks in ``edgekit/simulation/memory_measured.csv`` and fits the
constants in ``memory.toml`` beside it. ``--keep`` keeps the bundles and takes those that are there.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import onnx

from benchmarks.candidates import built
from benchmarks.memory_probes import PROBES
from benchmarks.trials import quiet_home
from edgekit.conversion.candidates import Candidate
from edgekit.conversion.order import Intake, Order
from edgekit.conversion.plan import PRECISIONS
from edgekit.devices import LocalDevice
from edgekit.errors import EdgekitError
from edgekit.models import Model
from edgekit.models.zoo import entries, resolve
from edgekit.profiling.measure import memory_by_phase
from edgekit.simulation.memory import CONSTANTS, computed_in, holdings_of
from edgekit.simulation.memory_fitting import MEASURED, PROBE, Peak, judge, read_peaks, write_peaks
from edgekit.simulation.memory_terms import MemoryRuntime, memory_terms
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
_RUNS = 5


def main() -> None:
    options = _options()
    wanted = options.models.split(",") if options.models else list(entries())
    with quiet_home() as scratch, ExitStack() as stack:
        kept = options.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="edgekit-memory-"))
        )
        peaks: list[Peak] = []
        for name in wanted:
            peaks += measured(resolve(name, lambda *_: None), FAMILIES.get(name, name), kept / name)
        if options.fit:
            for name, make in PROBES.items():
                path = scratch / f"{name}.onnx"
                onnx.save(make(), path)
                peaks += measured(path, PROBE, kept / f"probe-{name}")
            write_peaks(peaks)
            CONSTANTS.write_text(constants_text(peaks, arch=platform.machine()), encoding="utf-8")
    report(peaks)


def measured(path: Path, family: str, kept: Path) -> Iterator[Peak]:
    """Peaks of every artifact of the model at ``path``; why there is none is printed."""
    order = Order(
        model=path, targets=("host",), out=kept, samples=_SAMPLES, effort="fast", precisions=PRECISIONS,
        data_free=family == PROBE,
    )  # fmt: skip
    for candidate, intake, folder in built(order, _is_measured):
        assert candidate.precision is not None
        try:
            yield peak_of(folder, intake.model, family, computed_in(intake.model, candidate.precision))
        except EdgekitError as error:
            print(f"{path.stem} {candidate.label}: {str(error)[:120]}")


def _is_measured(intake: Intake, candidate: Candidate) -> bool:
    return candidate.precision in MEASURED_PRECISIONS and candidate.variant in _VARIANTS[intake.wish.is_text]


def peak_of(folder: Path, model: Model, family: str, precision: Precision) -> Peak:
    """Load and run the bundle in a fresh process."""
    with LocalDevice().start(folder, threads=1) as session:
        record, context = memory_by_phase(session, _RUNS), session.ready
    runtime = next(name for name in RUNTIMES if name == context["runtime"])
    return Peak(
        model=model.name,
        family=family,
        runtime=runtime,
        version=context["runtime_version"],
        precision=precision,
        measured={"load": record.load, "run": max(record.first, record.steady)},
        terms=memory_terms(holdings_of(model, precision), runtime),
    )


def report(peaks: Sequence[Peak]) -> None:
    """Every zoo model, predicted without its family (the other families and the probes as recorded)."""
    own = {(peak.model, peak.runtime, peak.precision) for peak in peaks}
    every = [
        *peaks,
        *(peak for peak in read_peaks() if (peak.model, peak.runtime, peak.precision) not in own),
    ]
    errors: list[float] = []
    for runtime, precision in sorted({(peak.runtime, peak.precision) for peak in peaks}):
        found = judge([peak for peak in every if (peak.runtime, peak.precision) == (runtime, precision)])
        shown = [item for item in found if (item.peak.model, runtime, precision) in own]
        print(f"\n{runtime} {precision}, MB  measured  predicted without its family  error")
        for item in shown:
            print(
                f"  {item.peak.model:24s} {item.peak.peak / 1e6:7.1f} {item.predicted / 1e6:7.1f}"
                f" {item.error:+7.1%}"
            )
        off = [100 * abs(item.error) for item in shown]
        errors += off
        if off:
            print(f"  median {np.median(off):.1f} %, largest {max(off):.1f} %")
    print(
        f"\nall: {len(errors)} artifacts, median {np.median(errors):.1f} %, largest {max(errors):.1f} %; "
        f"within {BAR:g} %: {sum(error <= BAR for error in errors)}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", help="ids of the zoo, with commas; default: all")
    parser.add_argument("--keep", type=Path, help="folder for the bundles")
    parser.add_argument(
        "--fit", action="store_true", help=f"record peaks in {MEASURED.name} and fit the constants"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
