"""Runs on a board for as long as edgekit is connected: makes the work folder, and removes it at the end.

``python3 -c`` gets this file's text, so it needs the standard library of Python 3.9 and nothing else. It says one
line of facts, answers requests (one JSON line each way), and when its input ends, by a goodbye, by Ctrl-C or by a
connection that broke, it kills what was started and removes the folder. Its lock on the folder tells whoever comes
next whether it still lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import site
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MARK = "edgekit-board:"
"""Begins each line of ours: a login shell may print lines of its own."""
WORK = "work-"
AGENT_PID, RUNNER_PID = "agent.pid", "runner.pid"
PACKAGES = ("numpy", "onnxruntime", "openvino", "ai-edge-litert", "tflite-runtime")
# of a kernel that has run out of memory
OOM = ("Out of memory", "out of memory", "invoked oom-killer")


def main() -> int:
    started_us = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
    try:
        root = home()
        leftovers = clean(root)
        work = Path(tempfile.mkdtemp(prefix=f"{WORK}{sys.argv[1]}-", dir=root))
        held = lock(work)
        (work / AGENT_PID).write_text(str(os.getpid()))
        facts = {"root": str(root), "work": str(work), "leftovers": leftovers, **read_facts(root)}
    except OSError as error:
        say(failure(error))
        return 1
    for name in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, lambda *_: sys.exit(1))
    try:
        say(facts)
        for line in iter(sys.stdin.readline, ""):
            say(answer(json.loads(line), root, started_us))
    finally:
        remove(work)
        if held is not None:
            os.close(held)
    return 0


def answer(request: dict[str, Any], root: Path, started_us: int) -> dict[str, Any]:
    try:
        if request["op"] == "forget":
            return forget(root, request["names"])
        if request["op"] == "remove":
            return remove(Path(request["path"]))
        if request["op"] == "memory":
            return {"words": oom_words(started_us), **memory()}
        return {"free_bytes": shutil.disk_usage(root).free}
    except OSError as error:
        return failure(error)


def failure(error: OSError) -> dict[str, Any]:
    return {"error": f"{error.strerror}: {error.filename}", "errno": error.errno}


def say(line: dict[str, Any]) -> None:
    try:
        sys.stdout.write(MARK + json.dumps(line) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nobody listens any more; the input has ended as well
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)


# --- folders ---------------------------------------------------------------------------------------------


def home() -> Path:
    """Where everything of ours on the board lives."""
    cache = os.environ.get("XDG_CACHE_HOME")
    root = (Path(cache) if cache else Path.home() / ".cache") / "edgekit"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


def clean(root: Path) -> dict[str, list[str]]:
    """Remove the folders whose agent has died: what was removed, and what is still held."""
    found: dict[str, list[str]] = {"removed": [], "held": []}
    for path in sorted(root.glob(f"{WORK}*")):
        handle = lock(path)
        if handle is None:
            found["held"].append(path.name)
            continue
        remove(path)
        os.close(handle)
        found["removed"].append(path.name)
    return found


def forget(root: Path, names: list[str]) -> dict[str, Any]:
    """End the agents of folders whose edgekit is known to be gone, and remove them."""
    for name in names:
        path = root / Path(name).name
        kill(path / AGENT_PID)
        remove(path)
    return {}


def lock(path: Path) -> int | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def remove(path: Path) -> dict[str, Any]:
    """Kill what was started in the folder, then remove it."""
    for pidfile in path.glob(f"**/{RUNNER_PID}"):
        kill(pidfile)
    shutil.rmtree(path, ignore_errors=True)
    return {}


def kill(pidfile: Path) -> None:
    """Kill the process that the file names; nothing where it has ended."""
    # not its group: some servers run everything of a connection in one
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pidfile.read_text()), signal.SIGKILL)


# --- facts -----------------------------------------------------------------------------------------------


def read_facts(root: Path) -> dict[str, Any]:
    libc, version = platform.libc_ver()
    packages = {name: installed(name) for name in PACKAGES}
    return {
        "arch": platform.machine(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "executable": sys.executable,
        "user_base": site.getuserbase(),
        "libc": f"{libc} {version}".strip(),
        "packages": {name: version for name, version in packages.items() if version},
        "pip": installed("pip") is not None,
        "free_bytes": shutil.disk_usage(root).free,
        **memory(),
    }


def installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def memory() -> dict[str, int | None]:
    """All and available memory in bytes, None where the kernel does not tell."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            key, _, value = line.partition(":")
            found[key] = int(value.split()[0]) * 1024
    return {"ram_bytes": found.get("MemTotal"), "available_bytes": found.get("MemAvailable")}


def oom_words(since_us: int) -> str | None:
    """The kernel's line about memory that ran out, None where it has none or does not let us read it."""
    said = [line for line in kernel_log(since_us) if any(mark in line for mark in OOM)]
    killed = [line for line in said if "Killed process" in line]
    return (killed or said)[-1] if said else None


def kernel_log(since_us: int) -> list[str]:
    """The kernel's messages since a moment of the monotonic clock."""
    try:
        handle = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    lines = []
    try:
        while True:
            try:
                head, _, text = os.read(handle, 8192).decode(errors="replace").partition(";")
            except BrokenPipeError:  # a record was overwritten meanwhile; the next read goes on after it
                continue
            if int(head.split(",")[2]) >= since_us:
                lines.append(text.partition("\n")[0])
    except BlockingIOError:  # all are read
        return lines
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
