"""Runs one worker: ``python _launcher.py WORKER REQUEST REPLY MEMORY_BYTES PARENT_PID``.

Started by :mod:`edgekit.conversion.workers` in the interpreter of the converter's environment, where edgekit
may not be installed and Python may be as old as 3.7: standard library and old syntax only.
"""

import sys

# this folder's modules must not hide the standard library's
sys.path.pop(0)

import ctypes
import importlib.util
import json
import os
import resource
import signal
import traceback
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Be killed by the kernel when the parent ends, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call above
        os._exit(1)


def limit(memory_bytes: int) -> None:
    """Bound the private writable memory (not the address space: runtimes map far more than they touch)."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Uncached(SourceFileLoader):
    """Leaves no bytecode beside workers: one that is edited twice in a second would be run as it was before."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        pass


def load(path: Path) -> Any:
    """Import the worker's file; it may keep helper modules beside itself."""
    folder = str(path.parent)
    sys.path.insert(0, folder)
    kinds = [(ExtensionFileLoader, EXTENSION_SUFFIXES), (Uncached, SOURCE_SUFFIXES)]
    sys.path_importer_cache[folder] = FileFinder(folder, *kinds)
    spec = importlib.util.spec_from_file_location("worker", str(path), loader=Uncached("worker", str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"no worker at {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_line(error: BaseException) -> str:
    """What happened, and what it came from where the tool wrapped one error in another."""
    words = " ".join(str(error).split())
    line = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return f"{line} ({one_line(error.__cause__)})" if error.__cause__ else line


def answer(worker: Path, request: Path) -> str:
    """The worker's reply as JSON, or what it raised."""
    try:
        return json.dumps(load(worker).convert(json.loads(request.read_text(encoding="utf-8"))))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it was, the engine reports it
        traceback.print_exc()
        return json.dumps({"error": one_line(error), "traceback": traceback.format_exc()})


def main() -> None:
    worker, request, reply, memory_bytes, parent = sys.argv[1:]
    die_with(int(parent))
    limit(int(memory_bytes))
    text = answer(Path(worker), Path(request))
    staged = Path(reply + ".staged")
    staged.write_text(text, encoding="utf-8")
    staged.replace(reply)
    sys.stdout.flush()
    sys.stderr.flush()
    # native libraries' exit handlers may crash or hang although the work is done
    os._exit(0)


main()
