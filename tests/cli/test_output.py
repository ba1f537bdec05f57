"""Progress on stderr: plain lines in a log, a bar on a terminal, nothing of it on stdout."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgekit.cli import output


def test_a_log_gets_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("edgekit profile") as advance:
        for done in range(3):
            advance(done, 3, "net on local")
        advance(3, 3, "done")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "edgekit profile: net on local\nedgekit profile: done\n"


def test_a_terminal_gets_a_bar_that_fits_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80)
    monkeypatch.setattr(output, "stderr", lambda: console)
    with output.progress("edgekit convert") as advance:
        advance(1, 4, "a step with a name " + 9 * "that is too long ")
        console.file.write("<during>")
    bar, _, after = written.getvalue().partition("<during>")
    assert "convert: a step" in bar + after
    assert 7 * "that is too long " not in bar + after
    assert after.endswith(("\x1b[2K", "\x1b[?25h"))  # the line is cleared, the cursor is back


def test_a_log_hears_of_steps_and_not_of_how_far_each_is(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("edgekit convert") as advance:
        for done in (0, 0.25, 0.5, 1):
            advance(done, 2, f"step {done}")
    assert capsys.readouterr().err.splitlines() == ["edgekit convert: step 0", "edgekit convert: step 1"]
