"""Count one inference of the published ncnn models on emulated cores: instructions by class and cache misses.

    git clone https://github.com/Tencent/ncnn && git -C ncnn checkout a4d2ea1d4422c9e849f166fd7a4aefb52f942f6a
    edgekit device setup emulated
    python benchmarks/emulated_counts.py ncnn/benchmark/models [--boards raspberry-pi-4]

What is recorded in ``edgekit/simulation/emulated_counts.csv`` already is not counted again; each count is written as
it comes. All models take half an hour to an hour. The wheel is that of aarch64 in the version below.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.catalog import load_catalog
from edgekit.devices.emulated import Emulation, find_emulation
from edgekit.devices.emulated.board import Board, find_board
from edgekit.devices.emulated.device import COUNTS
from edgekit.devices.emulated.plugin import CLEAN, plugin_option
from edgekit.devices.emulated.view import arm_python, make_view
from edgekit.devices.ssh_packages import DEBIAN_ARM, download_wheels
from edgekit.simulation.count_points import CHANGED_SINCE
from edgekit.simulation.emulated_counts import CLASSES, RECORDED, Counted, record, recorded
from edgekit.simulation.published import model_work
from scripts.measured_models import NCNN

VERSION = "1.0.20261020"
"""Of ncnn's wheel."""
BOARDS = ("raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-3", "rk3588")
"""One of each core and caches; the others have the same: rk3399 those of the Pi 4, the Zero 2 W those of the Pi 3."""
GUEST = Path(__file__).with_name("emulated_ncnn.py")
ROOT = Path(__file__).parents[1]
MAC_TERMS = 8
"""The first so many terms are MACs; smaller models come first."""


def main() -> None:
    options = _options()
    emulation, known = find_emulation(), list(recorded()) if RECORDED.exists() else []
    with tempfile.TemporaryDirectory(prefix="edgekit-counts-") as folder:
        site = ncnn_site(Path(folder))
        boards = {name: find_board(name, load_catalog()) for name in options.boards.split(",")}
        for model in sorted(
            set(NCNN) - set(CHANGED_SINCE), key=lambda name: float(model_work()[name].usual[:MAC_TERMS].sum())
        ):
            for name, board in boards.items():
                if (model, *machine(board)) in {(item.model, item.core, item.cache_bytes) for item in known}:
                    continue
                with tempfile.TemporaryDirectory(dir=folder) as work:
                    counts = count(options.models / f"{model}.param", board, emulation, site, Path(work))
                precision = "int8" if model.endswith("_int8") else "fp32"
                known.append(counted_of(board, counts, model, "ncnn", VERSION, precision))
                record(known)
                print(f"{name} {model}: {counts['total'] / 1e6:.1f} M instructions", flush=True)


def ncnn_site(folder: Path) -> Path:
    """A folder with ncnn, for the emulated PYTHONPATH."""
    if refusal := download_wheels([f"ncnn=={VERSION}"], DEBIAN_ARM, folder):
        raise SystemExit(f"ncnn's wheel for aarch64 cannot be fetched: {refusal}")
    (wheel,) = folder.glob("ncnn-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def count(param: Path, board: Board, emulation: Emulation, site: Path, work: Path) -> dict[str, int]:
    """What ``emulated_ncnn.py`` prints on ``board``."""
    assert emulation.plugin, emulation.why_no_counts
    view, counts = make_view(work / "view", emulation.sysroot, board), work / "counts"
    qemu, *python = arm_python(view, board)
    path = f"PYTHONPATH={emulation.site}:{site}:{ROOT}"
    command: Sequence[str] = [
        *CLEAN, path, "PYTHONHASHSEED=0", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", f"{COUNTS}={counts}",
        qemu, *plugin_option(emulation.plugin, counts, board.caches), *python, str(GUEST), str(param),
        str(NCNN[param.stem]),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{param.name} on {board.name}: exit {done.returncode}\n{done.stderr[-1000:]}")
    return {name: int(number) for name, number in json.loads(done.stdout).items()}


def machine(board: Board) -> tuple[str, tuple[int, ...]]:
    """What counts depend on: the core's name and its caches."""
    return board.cluster.core, tuple(size for size, _ in board.caches)


def counted_of(
    board: Board, counts: Mapping[str, int], model: str, runtime: str, version: str, precision: str
) -> Counted:
    """The record of ``counts``, as the plugin names them."""
    core, cache_bytes = machine(board)
    return Counted(
        model=model,
        runtime=runtime,
        version=version,
        precision=precision,
        core=core,
        cache_bytes=cache_bytes,
        by_class={name: counts[name] for name in CLASSES},
        cache_misses={
            name.removesuffix("_misses"): number
            for name, number in counts.items()
            if name.endswith("_misses")
        },
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, help="ncnn's folder benchmark/models")
    parser.add_argument("--boards", default=",".join(BOARDS), help="profiles or targets, with commas")
    return parser.parse_args()


if __name__ == "__main__":
    main()
