"""What ``make demo`` runs: two real models through the whole path, ending with the report's name.

Runs the same commands a user would type, and prints them.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

EDGEKIT = Path(sys.executable).with_name("edgekit")
MODELS = {
    "efficientnet-lite0": ("-t", "host", "-t", "raspberry-pi-4", "--precision", "int8"),
    "minilm-sentiment": ("-t", "host"),
}


def run(*arguments: str | Path) -> None:
    """Print and run one edgekit command; stop the demo where it fails."""
    words = [str(word) for word in arguments]
    print(f"\n$ edgekit {shlex.join(words)}", flush=True)
    done = subprocess.run([EDGEKIT, *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for bundles and the report")
    out: Path = parser.parse_args().out
    started = time.monotonic()
    run("models", "get", *MODELS)
    fetched = time.monotonic()
    for model, wanted in MODELS.items():
        run("convert", model, *wanted, "--samples", "48", "--force", "-o", out)
    bundles = sorted(out.glob("*-host.edgekit"))
    run("profile", *bundles, "--on", "local", "--duration", "3", "-o", out / "measurements.json")
    run("report", *sorted(out.glob("*.edgekit")), out / "measurements.json", "-o", out / "report.html")
    print(
        f"\nModels fetched in {fetched - started:.0f} s, everything else took {time.monotonic() - fetched:.0f} s."
    )
    print(f"Open {(out / 'report.html').resolve()}")


if __name__ == "__main__":
    main()
