"""edgekit's choice for this machine beside onnxruntime's and NNCF's own quantizers: one run, timed in turn.

    python benchmarks/golden_path.py [--models efficientnet-lite0,minilm-sentiment] [--threads 1] [--rounds 60]

Prints ratios to fp32 onnxruntime on the same threads, with 95 % intervals, and how close each stays to the source model
on samples that were not used for calibration. Never compare its figures with those of another run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.peers import PEERS
from benchmarks.trials import SOURCE, choice, chosen, closeness, ground, peer, quiet_home, timed
from edgekit.profiling import ratio_ci

OURS = "edgekit"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="efficientnet-lite0,minilm-sentiment")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--samples", type=int, default=64, help="to calibrate with, and to compare on")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    with quiet_home() as scratch:
        for model in options.models.split(","):
            _benchmark(model, scratch / model, options)


def _benchmark(model: str, scratch: Path, options: argparse.Namespace) -> None:
    on = ground(model, scratch, threads=options.threads, effort="normal", samples=options.samples)
    ours = chosen(on)
    bundles = {OURS: ours.folder, SOURCE: on.yardstick.bundle} | {name: peer(on, name) for name in PEERS}
    found = {name: closeness(on, folder).verdict.fidelity for name, folder in bundles.items()}
    times = timed(bundles, threads=options.threads, rounds=options.rounds)
    print(f"\n{model}: {options.threads} thread(s), {options.rounds} rounds in turn, {on.calibration.samples} calibration "
          f"samples, compared on {found[OURS].samples} others; edgekit chose {choice(ours.manifest)}")  # fmt: skip
    print(f"{'':24}{'time / fp32':>12}{'95 % interval':>18}{'SQNR dB':>10}{'cosine':>9}{'agreement':>11}")
    for name, fidelity in found.items():
        ratio, low, high = ratio_ci(times[name], times[SOURCE])
        print(f"{name:24}{ratio:>12.3f}{f'{low:.3f} - {high:.3f}':>18}{fidelity.sqnr_db:>10.1f}{fidelity.cosine:>9.4f}"
              f"{fidelity.agreement:>11.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
