"""Count one inference of the published ncnn models on emulated cores: instructions by class and cache misses.

    git clone https://github.com/Tencent/ncnn && git -C ncnn checkout 20240102
    edgekit device setup emulated
    python benchmarks/emulated_counts.py ncnn/benchmark [--boards raspberry-pi-4]

What is recorded in ``edgekit/simulation/emulated_counts.csv`` already is not counted again; each count is written as
it comes. All models of a board take a quarter to half an hour. The wheels are those of aarch64 in the releases below: the
nearest to the days on which runs were published, of those for the emulated Python. The models are those that were
timed: their files did not change from 2022 to May 2026.
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
from edgekit.profiling.counted import instructions
from edgekit.simulation.count_points import CHANGED_SINCE
from edgekit.simulation.emulated_counts import RECORDED, Counted, record, recorded
from edgekit.simulation.published import model_work
from scripts.measured_models import NCNN

RELEASES = {
    "raspberry-pi-4": ("1.0.20261020", "1.0.20230517"),
    "raspberry-pi-5": ("1.0.20240102", "1.0.20240102"),
    "raspberry-pi-3": ("1.0.20261020", "1.0.20230517"),
    "rk3588": ("1.0.20230816", "1.0.20230816"),
}
"""One board of each core and caches, with the releases that its models in floats and in integers are counted in; the others
have the same: rk3399 those of the Pi 4, the Zero 2 W those of the Pi 3. Floats of A72 and A53 are of today's still."""
GUEST = Path(__file__).with_name("emulated_ncnn.py")
ROOT = Path(__file__).parents[1]
MAC_TERMS = 8
"""The first so many terms are MACs; smaller models come first."""


def main() -> None:
    options = _options()
    emulation, known = find_emulation(), list(recorded()) if RECORDED.exists() else []
    with tempfile.TemporaryDirectory(prefix="edgekit-counts-") as folder:
        names = options.boards.split(",")
        sites = {
            release: ncnn_site(Path(folder) / release, release)
            for name in names
            for release in set(RELEASES[name])
        }
        boards = {name: find_board(name, load_catalog()) for name in names}
        for model in sorted(
            set(NCNN) - set(CHANGED_SINCE), key=lambda name: float(model_work()[name].usual[:MAC_TERMS].sum())
        ):
            for name, board in boards.items():
                precision = "int8" if model.endswith("_int8") else "fp32"
                release = RELEASES[name][precision == "int8"]
                if (model, release, *machine(board)) in {
                    (item.model, item.version, item.core, item.cache_bytes) for item in known
                }:
                    continue
                with tempfile.TemporaryDirectory(dir=folder) as work:
                    counts = count(
                        options.models / f"{model}.param", board, emulation, sites[release], Path(work)
                    )
                known.append(counted_of(board, counts, model, "ncnn", release, precision))
                record(known)
                print(f"{name} {model}: {counts['total'] / 1e6:.1f} M instructions", flush=True)


def ncnn_site(folder: Path, release: str) -> Path:
    """A folder with ncnn, for the emulated PYTHONPATH."""
    if refusal := download_wheels([f"ncnn=={release}"], DEBIAN_ARM, folder):
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
    (core, cache_bytes), found = machine(board), instructions([counts])
    assert found is not None
    return Counted(
        model=model,
        runtime=runtime,
        version=version,
        precision=precision,
        core=core,
        cache_bytes=cache_bytes,
        by_class=found.by_class,
        cache_misses=found.cache_misses,
        written_misses=found.written_misses,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, help="ncnn's folder of models")
    parser.add_argument("--boards", default=",".join(RELEASES), help=f"of {', '.join(RELEASES)}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
