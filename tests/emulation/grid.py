"""Two models, two precisions, three runtimes, three cores: what each of the 36 cells is held to, and what it did.

``python -m tests.emulation.grid [--only WORD,…]`` prints the table of docs/emulation.md, row by row as they come.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgekit.bundles import Bundle
from edgekit.devices import open_device
from edgekit.profiling import Extent, profile
from edgekit.profiling.record import Measurement
from edgekit.vocabulary import Precision, RuntimeId
from tests.emulation.making import zoo_bundle

CORES = {"A53": "raspberry-pi-3", "A72": "raspberry-pi-4", "A76": "raspberry-pi-5"}
"""Core -> the board whose caches and memory go with it."""
RUNS = Extent(runs=2)
MEMORY = 0.10
"""Of the peak, as promised: what a model adds there and here lies no further apart."""
WITHOUT_BLOCKS = {"graph_optimization_level": "extended"}
"""On x86 onnxruntime rearranges float convolutions into blocks, and their weights with them: 25 MB of EfficientNet-Lite0
that the same model does not take without, nor on Arm, where it has no such kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A bundle and what its answers on Arm are held to. The one for the Raspberry Pi 4 runs on every core."""

    model: str
    runtime: RuntimeId
    precision: Precision
    within: float
    """Largest difference from the build host's answer, relative to its largest value; 0: bit for bit."""
    dots: bool = False
    """Computes with dot products where the core has them."""
    memory: float = MEMORY
    samples: int = 8
    """For calibration."""

    @property
    def name(self) -> str:
        return f"{self.model}-{self.runtime}-{self.precision}"

    @property
    def has_blocks(self) -> bool:
        """Whether onnxruntime computes it in blocks on x86."""
        return self.runtime == "onnxruntime" and self.precision == "fp32"


FLOAT = 1e-5
"""Sums in another order."""
KINDS: tuple[Kind, ...] = (
    Kind(model="efficientnet-lite0", runtime="litert", precision="int8", within=0, dots=True),
    # residual sums (QLinearAdd) in float, some of whose values round the other way on Arm
    Kind(model="efficientnet-lite0", runtime="onnxruntime", precision="int8", within=0.03, dots=True),
    # computed in float on rounded values, of which some land on the other side of a step. Integer kernels on x86 differ
    # from float ones there by as much
    Kind(model="efficientnet-lite0", runtime="openvino", precision="int8", within=0.04),
    # scales of activations are computed in float while it runs
    Kind(model="minilm-sentiment", runtime="litert", precision="int8-dynamic", within=0.01, dots=True),
    # MatMul's weights packed for dot products take less than for VNNI: without packing the two are 1 % apart
    Kind(
        model="minilm-sentiment", runtime="onnxruntime", precision="int8-dynamic",
        within=FLOAT, dots=True, memory=0.15,
    ),
    # of eight texts NNCF's ranges lose every fourth answer. Memory: on the A53 Arm's library multiplies 16-bit values
    # (a64_gemm_s16_8x12) and packs 10.6 million weights to 2 bytes each
    Kind(
        model="minilm-sentiment", runtime="openvino", precision="int8",
        within=0.03, dots=True, memory=0.13, samples=32,
    ),
    *(
        Kind(model=model, runtime=runtime, precision="fp32", within=FLOAT)
        for model in ("efficientnet-lite0", "minilm-sentiment")
        for runtime in ("litert", "onnxruntime", "openvino")
    ),
)  # fmt: skip
Make = Callable[[Kind], Bundle]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory in bytes: before a model is there, and at the highest."""

    base: int
    peak: int


def maker(folder: Path) -> Make:
    """Makes each bundle once, in ``folder``."""

    @cache
    def make(kind: Kind) -> Bundle:
        out = folder / kind.name
        return zoo_bundle(
            kind.model, "raspberry-pi-4", kind.runtime, kind.precision, out, samples=kind.samples
        )

    return make


def emulated(bundle: Bundle, core: str) -> Measurement:
    """Answers, memory and counts of the bundle on ``core``; DeviceError where it does not hold there."""
    return profile(bundle, open_device(f"emulated:{CORES[core]}"), extent=RUNS)


def memory_here(kind: Kind, bundle: Bundle, work: Path, *, with_blocks: bool = False) -> Memory:
    """What the same steps take on this machine, with the kernels that there are on both unless ``with_blocks``."""
    folder = work / f"{kind.name}-here{'-blocks' if with_blocks else ''}"
    shutil.copytree(bundle.folder, folder)
    if kind.has_blocks and not with_blocks:
        set_options(folder, WITHOUT_BLOCKS)
    with open_device("local").start(folder, threads=1) as session:
        session.load()
        session.run(1)
        session.golden()
        session.run(2)
        told = session.memory()
    return Memory(base=int(told["phases"]["base"]), peak=int(told["peak"]))


def set_options(folder: Path, options: dict[str, str]) -> None:
    """Write ``options`` of the runtime's session into the manifest of the bundle in ``folder``."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["artifact"]["runtime_options"] |= options
    path.write_text(json.dumps(manifest))


def rows(kinds: Sequence[Kind], folder: Path) -> Iterator[str]:
    """A row of the table for each bundle: instructions, answers, peaks, core by core and here."""
    make = maker(folder)
    for kind in kinds:
        bundle = make(kind)
        found = []
        for core in CORES:
            found.append(emulated(bundle, core))
            print(f"{kind.name} on {core}: {_cell(found[-1])}", file=sys.stderr)
        here = [memory_here(kind, bundle, folder)]
        if kind.has_blocks:
            here.append(memory_here(kind, bundle, folder, with_blocks=True))
        yield _row(kind, found, here)


def _cell(item: Measurement) -> str:
    count = item.instructions.total if item.instructions else 0
    memory = _of(item)
    return (
        f"{count / 1e6:.1f} M, error {item.golden_error:.2g}, {item.golden_equal_share:.1%} equal bits, "
        f"{memory.base / 1e6:.1f} to {memory.peak / 1e6:.1f} MB"
    )


def _row(kind: Kind, found: Sequence[Measurement], here: Sequence[Memory]) -> str:
    counts = " / ".join(f"{item.instructions.total / 1e6:.1f}" for item in found if item.instructions)
    peaks = " / ".join(f"{item.memory_bytes.peak / 1e6:.0f}" for item in found if item.memory_bytes)
    added = " / ".join(
        f"{(_of(item).peak - _of(item).base - here[0].peak + here[0].base) / here[0].peak:+.1%}"
        for item in found
    )
    kept = " (".join(f"{memory.peak / 1e6:.0f}" for memory in here) + ")" * (len(here) - 1)
    cells = [
        f"{kind.model} {kind.precision}, {kind.runtime}",
        counts,
        _answers(found),
        f"{peaks} | {kept}",
        added,
    ]
    return f"| {' | '.join(cells)} |"


def _of(item: Measurement) -> Memory:
    assert item.memory_bytes is not None
    return Memory(base=item.memory_bytes.base, peak=item.memory_bytes.peak)


def _answers(found: Sequence[Measurement]) -> str:
    if all(item.golden_equal_share == 1 for item in found):
        return "bit for bit"
    said = list(dict.fromkeys(f"{item.golden_error:.2g}" for item in found))
    return said[0] if len(said) == 1 else " / ".join(f"{item.golden_error:.2g}" for item in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", default="", help="bundles with one of these in their names, e.g. openvino-int8"
    )
    words = parser.parse_args().only.split(",")
    kinds = [kind for kind in KINDS if any(word in kind.name for word in words)]
    print(
        "| bundle | instructions, M | answers | peak MB | here | added, to here |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(kinds, Path(folder)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
