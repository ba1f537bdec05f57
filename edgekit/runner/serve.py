"""The protocol: one JSON line in, one JSON line out, until the other side goes away."""

from __future__ import annotations

import json
import os
import queue
import select
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from .engine import Engine
from .failure import RunnerError


def serve(folder: Path, *, threads: int, reset_peaks: bool) -> int:
    """Answer requests from stdin on stdout; exit status."""
    replies = _claim_stdout()
    try:
        engine = Engine(folder, threads=threads, reset_peaks=reset_peaks)
    except RunnerError as error:
        _say(replies, {"ok": False, "error": one_line(error)})
        return 1
    _say(replies, {"event": "ready", "context": engine.context()})
    for request in iter(_requests(replies.fileno()).get, None):
        if request.get("op") == "quit":
            _say(replies, {"ok": True})
            break
        _say(replies, _answer(engine, request))
    return 0


def one_line(error: BaseException) -> str:
    """An error's message without line breaks."""
    return " ".join(str(error).split())


def _answer(engine: Engine, request: dict[str, Any]) -> dict[str, object]:
    actions: dict[str, Callable[[], dict[str, object]]] = {
        "load": engine.load,
        "golden": engine.golden,
        "run": lambda: engine.run(int(request["runs"]), int(request.get("warmup", 0))),
        "infer": lambda: engine.infer(list(request["inputs"]), str(request["out"])),
        "count": lambda: engine.count(int(request["runs"])),
        "operators": lambda: engine.operators(int(request["runs"])),
        "memory": engine.memory,
        "second_session": engine.second_session,
        "yardstick": engine.yardstick,
    }
    action = actions.get(str(request.get("op")))
    if action is None:
        return {"ok": False, "error": f"unknown op {request.get('op')!r}; known: {', '.join(actions)}, quit"}
    try:
        return {"ok": True, **action()}
    except RunnerError as error:
        return {"ok": False, "error": one_line(error)}
    # whatever a runtime raises on a bad artifact is an answer, and the next request may still be served
    except Exception as error:  # noqa: BLE001
        return {"ok": False, "error": f"{type(error).__name__}: {one_line(error)}"}


def _claim_stdout() -> TextIO:
    """Keep stdout for protocol lines; what native libraries print there goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return replies


def _say(replies: TextIO, line: dict[str, object]) -> None:
    replies.write(json.dumps(line) + "\n")
    replies.flush()


def _requests(replies: int) -> queue.Queue[Any]:
    """Requests as they come, None at the end; read aside, so that a client's end is seen during a long run."""
    arrived: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_read_into, args=(arrived, replies), daemon=True).start()
    return arrived


def _read_into(arrived: queue.Queue[Any], replies: int) -> None:
    for line in sys.stdin:
        try:
            request = json.loads(line)
        except ValueError:
            request = {"op": line.strip()[:80]}
        arrived.put(request if isinstance(request, dict) else {"op": request})
    arrived.put(None)
    # a shell closes the input and waits for the answers; who has closed both ends is gone, and so is the need to run
    gone = select.poll()
    gone.register(replies, 0)  # errors and hang-ups are always told
    gone.poll()
    os._exit(1)
