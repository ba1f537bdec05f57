"""Count one inference of MLPerf's MobileNets in LiteRT and onnxruntime on emulated cores.

    edgekit device setup emulated
    python benchmarks/emulated_mobilenets.py [--models mobilenet_v1_1.0_224] [--boards raspberry-pi-4]

The networks have random weights and become bundles as ``convert`` makes them. Counts go to where
``emulated_counts.py`` records its own; what is there already is not counted again.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx

from benchmarks.architectures import architecture
from benchmarks.candidates import built
from benchmarks.emulated_counts import counted_of, machine
from benchmarks.trials import quiet_home
from edgekit.conversion.candidates import Candidate
from edgekit.conversion.order import Intake, Order
from edgekit.devices.emulated import EmulatedDevice, open_emulated
from edgekit.simulation.emulated_counts import Counted, record, recorded

MODELS = (
    *(f"mobilenet_v1_{name}" for name in ("0.25_128", "0.25_224", "0.5_224", "0.75_224", "1.0_128", "1.0_224")),
    *(f"mobilenet_v2_{name}" for name in ("0.35_96", "0.35_224", "0.5_224", "0.75_224", "1.0_96", "1.0_224", "1.4_224")),
    *(f"mobilenet_v3_{size}_1.0_224" for size in ("large_min", "small_min", "large", "small")),
)  # fmt: skip
BOARDS = ("raspberry-pi-4",)
"""RK3399 has the same core and caches."""
RUNTIMES = ("litert", "onnxruntime")
_TARGET = "raspberry-pi-4"
"""Whose bundles are counted everywhere: they are the same for each Arm board."""
_RUNS = 2
"""The first finds empty caches."""


def main() -> None:
    options = _options()
    names = options.boards.split(",")
    boards = {name: open_emulated(f"emulated:{name}") for name in names}
    known = list(recorded())
    with quiet_home() as scratch:
        for model in options.models.split(","):
            path = scratch / f"{model}.onnx"
            onnx.save(architecture(model), path)
            for counted in _counted(path, boards, options.runtimes.split(","), known):
                known.append(counted)
                record(known)
                total = sum(counted.by_class.values())
                print(
                    f"{model} {counted.runtime} {counted.precision} {counted.core}: {total / 1e6:.1f} M",
                    flush=True,
                )


def _counted(
    path: Path, boards: dict[str, EmulatedDevice], runtimes: list[str], known: list[Counted]
) -> Iterator[Counted]:
    there = {(item.model, item.runtime, item.precision, item.core, item.cache_bytes) for item in known}

    def wanted(intake: Intake, candidate: Candidate) -> bool:
        return candidate.precision in ("fp32", "int8") and candidate.runtime.id in runtimes

    with tempfile.TemporaryDirectory(prefix="edgekit-counts-") as kept:
        order = Order(
            model=path,
            targets=(_TARGET,),
            out=Path(kept),
            effort="fast",
            precisions=("fp32", "int8"),
            data_free=True,
        )
        for candidate, _, folder in built(order, wanted):
            runtime, precision = candidate.runtime.id, str(candidate.precision)
            for device in boards.values():
                if (path.stem, runtime, precision, *machine(device.board)) in there:
                    continue
                with device.start(folder, threads=1, counting=True) as session:
                    session.load()
                    session.run(1)
                    counts, version = session.count(_RUNS)[-1], session.ready["runtime_version"]
                yield counted_of(device.board, counts, path.stem, runtime, version, precision)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=",".join(MODELS), help="names, with commas")
    parser.add_argument("--boards", default=",".join(BOARDS), help="profiles or targets, with commas")
    parser.add_argument("--runtimes", default="litert", help=f"of {', '.join(RUNTIMES)}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
