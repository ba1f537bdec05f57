"""edgekit's quantization beside its peers' in one run: calibration, nearness to the source, latency, and each bar.

    python benchmarks/quantization.py [--models efficientnet-lite0,minilm] [--threads 1] [--rounds 40]
        [--clock wall] [--effort normal] [--with aimet,quark,modelopt] [--json FILE]

Every figure is a ratio or a difference within the run; intervals are of 95 %. Never compare them with another run's.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.apart import APART, PeerError, quantize_apart
from benchmarks.bars import CANDIDATE, CHOICE, Bar, Outcome, calibration_bar, judge, memory_bar
from benchmarks.calibrators import OURS, PLAIN, THEIRS
from benchmarks.peers import PEERS
from benchmarks.trials import (
    SOURCE,
    Closeness,
    Ground,
    candidates,
    choice,
    chosen,
    closeness,
    ground,
    peer,
    peer_bundle,
    quiet_home,
    timed,
)
from edgekit.errors import EdgekitError
from edgekit.host import detect
from edgekit.models import prepare_onnx
from edgekit.profiling import ratio_ci

MODELS = "efficientnet-lite0,ghostnet-fashion-mnist,ppocrv4-det,ppocrv4-rec,minilm,yolov3-tiny,blazeface"
FEW, MANY = 16, 2000
Facts = dict[str, Any]


def main() -> None:
    options = _options()
    facts: Facts = {
        "date": datetime.date.today().isoformat(),
        "machine": detect().cpu,
        "command": " ".join(["python", "benchmarks/quantization.py", *sys.argv[1:]]),
        "models": {},
    }
    outcomes, bars = [], []
    with quiet_home() as scratch:
        for model in options.models.split(","):
            on = ground(model, scratch / model, threads=options.threads, effort=options.effort)
            told: Facts = {"calibration_samples": on.calibration.samples}
            facts["models"][model] = told
            if "calibration" in options.parts:
                bars += _calibration(on, told, options)
            if "accuracy" in options.parts:
                outcomes.append(_accuracy(on, told, options))
            _write(facts, options.json)  # the figures of other models outlive one that fails
    if outcomes:
        bars += judge(outcomes)
    _print_bars(bars)
    facts["bars"] = [{**asdict(bar), "passed": bar.passed} for bar in bars]
    _write(facts, options.json)


def _write(facts: Facts, path: Path | None) -> None:
    if path:
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40, help="of timing in turn")
    parser.add_argument("--clock", default="wall", choices=["wall", "processor"],
                        help="processor: on one thread, where neighbours keep the machine busy")  # fmt: skip
    parser.add_argument("--effort", default="normal", choices=["fast", "normal", "max"])
    parser.add_argument("--parts", default="calibration,accuracy")
    parser.add_argument(
        "--calibration-rounds", type=int, default=6, help="of each observer in turn with inference"
    )
    parser.add_argument("--memory", default="efficientnet-lite0,ghostnet-fashion-mnist,ppocrv4-rec,minilm",
                        help=f"models whose peak memory with {MANY} samples is compared with that with {FEW}")  # fmt: skip
    parser.add_argument("--peers-calibrate", default="efficientnet-lite0", help="models that peers calibrate")
    parser.add_argument("--with", dest="apart", default="", help=f"of {','.join(APART)}, on --apart-models")
    parser.add_argument("--apart-models", default="efficientnet-lite0")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _calibration(on: Ground, told: Facts, options: argparse.Namespace) -> list[Bar]:
    """Time and memory of every observer; of the peers' too where asked."""
    model = prepare_onnx(on.intake.model, on.scratch / "prepared.onnx")
    measure = partial(_in_process, model)
    spent = measure(on.calibration.folder, [PLAIN, *OURS], rounds=options.calibration_rounds)["cpu_s"]
    ratios = {name: ratio_ci(spent[name], spent[PLAIN]) for name in OURS}
    peaks = {name: measure(on.calibration.folder, [name])["peak_bytes"] for name in OURS}
    bars = [calibration_bar(on.model, name, ratio) for name, ratio in ratios.items()]
    if on.model in options.peers_calibrate.split(","):
        for name in THEIRS:
            theirs = measure(on.calibration.folder, [PLAIN, name])
            ratios[name] = ratio_ci(theirs["cpu_s"][name], theirs["cpu_s"][PLAIN])
            peaks[name] = theirs["peak_bytes"]
    base = peaks["edgekit minmax"]
    growth: dict[str, float] = {}
    if on.model in options.memory.split(","):
        few, many = (
            _repeated(on.calibration.folder, count, on.scratch / f"{count}") for count in (FEW, MANY)
        )
        for name in OURS:
            growth[name] = measure(many, [name])["peak_bytes"] / measure(few, [name])["peak_bytes"]
            bars.append(memory_bar(on.model, name, FEW, MANY, growth[name]))
    told["calibration"] = {
        name: {"time_to_plain": ratio, "peak_to_minmax": peaks[name] / base, "peak_many_to_few": growth.get(name)}
        for name, ratio in ratios.items()
    }  # fmt: skip
    told["peak_bytes_minmax"] = base
    _print_calibration(on, told)
    return bars


def _in_process(model: Path, files: Path, names: Sequence[str], *, rounds: int = 1) -> Facts:
    command = [
        sys.executable,
        "-m",
        "benchmarks.calibrators",
        str(model),
        str(files),
        "--of",
        ",".join(names),
    ]
    done = subprocess.run(
        [*command, "--rounds", str(rounds)], stdout=subprocess.PIPE, text=True, check=True,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    found: Facts = json.loads(done.stdout.splitlines()[-1])
    return found


def _repeated(folder: Path, count: int, out: Path) -> Path:
    """A folder of ``count`` links to the files of ``folder``, over and over."""
    out.mkdir()
    files = sorted(folder.iterdir())
    for place in range(count):
        (out / f"{place:05d}.npz").symlink_to(files[place % len(files)])
    return out


def _accuracy(on: Ground, told: Facts, options: argparse.Namespace) -> Outcome:
    """Ask and time the choice, every candidate and every peer."""
    ours = chosen(on)
    made, failed = candidates(on)
    bundles = {SOURCE: on.yardstick.bundle, CHOICE: ours.folder}
    bundles |= {f"{CANDIDATE}{label}": folder for label, folder in made.items()}
    for name in PEERS:
        try:
            bundles[name] = peer(on, name)
        except EdgekitError as error:
            failed[name] = str(error)
    if on.model in options.apart_models.split(","):
        for name in filter(None, options.apart.split(",")):
            try:
                bundles[APART[name].name] = peer_bundle(
                    on, name, "onnxruntime", partial(quantize_apart, name)
                )
            except (PeerError, EdgekitError) as error:
                failed[APART[name].name] = str(error)
    found = {name: closeness(on, folder) for name, folder in bundles.items()}
    times = timed(
        bundles, threads=options.threads, rounds=options.rounds, processor_time=options.clock == "processor"
    )
    label = choice(ours.manifest)
    outcome = Outcome(model=on.model, convolutional=not on.is_text, choice=label, found=found, times=times)
    told |= {
        "choice": label,
        "evaluation": found[CHOICE].verdict.fidelity.data,
        "rows": {name: _row(outcome, name, near) for name, near in found.items()},
        "failed": failed,
        "times_ms": times,
    }
    _print_rows(on, told, options)
    return outcome


def _row(outcome: Outcome, name: str, near: Closeness) -> Facts:
    fidelity, accuracy = near.verdict.fidelity, near.verdict.accuracy
    return {
        "time_to_fp32": outcome.ratio(name),
        "sqnr_db": fidelity.sqnr_db,
        "worst_cosine": fidelity.cosine,
        "mean_cosine": near.mean_cosine,
        "agreement": fidelity.agreement,
        "accuracy": accuracy.artifact if accuracy else None,
    }


def _print_calibration(on: Ground, told: Facts) -> None:
    print(f"\n{on.model}: calibration on {on.calibration.samples} samples, processor time, one thread; "
          f"memory: edgekit minmax has its peak at {told['peak_bytes_minmax'] / 1e6:.0f} MB")  # fmt: skip
    print(f"{'':24}{'time / inference':>18}{'interval':>18}{'peak / minmax':>15}{f'{MANY} / {FEW}':>12}")
    for name, row in told["calibration"].items():
        ratio, low, high = row["time_to_plain"]
        growth = f"{row['peak_many_to_few']:.3f}" if row["peak_many_to_few"] else ""
        print(f"{name:24}{ratio:>18.2f}{f'{low:.2f} - {high:.2f}':>18}{row['peak_to_minmax']:>15.2f}{growth:>12}",
              flush=True)  # fmt: skip


def _print_rows(on: Ground, told: Mapping[str, Any], options: argparse.Namespace) -> None:
    print(f"\n{on.model}: {options.threads} thread(s), {options.clock} time, {options.rounds} rounds in turn, "
          f"effort {options.effort}, {on.calibration.samples} calibration samples; "
          f"{told['evaluation']}; edgekit chose {told['choice']}")  # fmt: skip
    print(f"{'':34}{'time / fp32':>12}{'95 % interval':>18}{'SQNR dB':>10}{'worst cos':>11}{'mean cos':>10}"
          f"{'agreement':>11}{'accuracy':>10}")  # fmt: skip
    for name, row in told["rows"].items():
        ratio, low, high = row["time_to_fp32"]
        accuracy = "" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
        print(f"{name:34}{ratio:>12.3f}{f'{low:.3f} - {high:.3f}':>18}{row['sqnr_db']:>10.1f}{row['worst_cosine']:>11.4f}"
              f"{row['mean_cosine']:>10.4f}{row['agreement']:>11.1%}{accuracy:>10}")  # fmt: skip
    for name, why in told["failed"].items():
        print(f"{name}: {why}")
    sys.stdout.flush()


def _print_bars(bars: Sequence[Bar]) -> None:
    print()
    for bar in bars:
        verdict = "pass" if bar.passed else "MISS"
        print(
            f"{verdict}  {bar.model}: {bar.what}: {bar.found}, wanted {bar.wanted}, margin {bar.margin:+.3g}"
        )
    print(f"{sum(bar.passed for bar in bars)} of {len(bars)} bars held")


if __name__ == "__main__":
    main()
