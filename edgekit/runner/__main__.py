"""``python -m runner check|run|serve BUNDLE``: also useful by hand on a board."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    arguments = _parser().parse_args()
    # a wrong command line is answered before numpy is imported
    from .failure import RunnerError

    try:
        from .engine import Engine
        from .serve import one_line, serve
    except ImportError as error:
        return _unusable(error, protocol=arguments.verb == "serve")
    if arguments.verb == "serve":
        return serve(arguments.bundle, threads=arguments.threads, reset_peaks=not arguments.keep_peaks)
    try:
        engine = Engine(arguments.bundle, threads=arguments.threads)
        context = engine.context()
        facts = {
            **engine.load(),
            **(engine.golden() if arguments.verb == "check" else _run(engine, arguments)),
        }
    except RunnerError as error:
        sys.stderr.write(f"runner: {one_line(error)}\n")
        return 1
    print(json.dumps({**facts, "context": context}, indent=2))
    return 0 if facts.get("reproduced", True) else 1


def _unusable(error: ImportError, *, protocol: bool) -> int:
    """numpy is absent, broken or of another processor: one line, as whoever started this reads it."""
    message = (
        f"numpy is not usable here ({' '.join(str(error).split())[:300]}); install it with: pip install numpy"
    )
    print(json.dumps({"ok": False, "error": message}) if protocol else f"runner: {message}")
    return 1


def _run(engine: object, arguments: argparse.Namespace) -> dict[str, object]:
    from .engine import Engine
    from .summary import summary

    assert isinstance(engine, Engine)
    samples = engine.run(arguments.runs, arguments.warmup)["samples_ms"]
    assert isinstance(samples, list)
    return {"latency_ms": summary(samples), "samples_ms": samples, "memory_bytes": engine.memory()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="runner", description="Load, check, run and measure a bundle.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="does the golden pair reproduce? exit 0 or 1")
    run = verbs.add_parser("run", help="time inferences; JSON on stdout")
    run.add_argument("--runs", type=int, default=50)
    run.add_argument("--warmup", type=int, default=5)
    serve = verbs.add_parser("serve", help="answer JSON lines on stdin")
    serve.add_argument("--keep-peaks", action="store_true", help="do not reset the kernel's memory peak")
    for verb in (check, run, serve):
        verb.add_argument("bundle", type=Path, help="folder of the bundle")
        verb.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
