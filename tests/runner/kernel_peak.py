"""What the kernel says was the highest resident memory of one command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# vfork hands the parent's peak on to the child's ru_maxrss, so a process that is itself small starts the command
_WAIT4 = """
import json, os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
status, usage = os.wait4(pid, 0)[1:]
print("\\n" + json.dumps({"status": status, "ru_maxrss": usage.ru_maxrss}))
"""


def peak_bytes(command: list[str], *, cwd: Path | None = None, words: str = "") -> int:
    """``ru_maxrss`` of the command, which must succeed on ``words`` as its input, in bytes."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _WAIT4, *command],
        cwd=cwd,
        input=words,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["status"] == 0, done.stderr
    return int(facts["ru_maxrss"]) * 1024
