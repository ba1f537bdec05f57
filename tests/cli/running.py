"""The command in this process, with what a shell would see of it: a start takes longer than what most tests ask for."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from edgekit.cli.main import main


def edgekit(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """``edgekit words`` in ``folder``, 80 columns wide."""
    typed = ["edgekit", *map(str, words)]
    out, errors = io.StringIO(), io.StringIO()
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.chdir(folder)
        patch.setenv("COLUMNS", "80")
        patch.setattr(sys, "argv", typed)
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(typed, code, out.getvalue(), errors.getvalue())
