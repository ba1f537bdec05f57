"""Progress and tables in a terminal of 80 columns."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from edgekit.cli import output

LAYER = "/features/features.9/block.2/depthwise/Conv_output_0"


def test_a_name_is_cut_in_the_middle() -> None:
    assert output.shortened("abcdefgh", 8) == "abcdefgh"
    assert output.shortened("abcdefghi", 8) == "abcd…ghi"


def test_layers_are_cut_and_stay_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    output.print_table(
        ["layer~", "operator", "ms>"], [[LAYER, "CONV_2D and 2 more", "0.125"], ["a", "b", "1"]]
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(lines) == 4
    assert max(map(len, lines)) <= 60
    assert "/features" in lines[2]
    assert "_output_0" in lines[2]
    monkeypatch.setenv("COLUMNS", "120")
    output.print_table(["layer~", "operator", "ms>"], [[LAYER, "CONV_2D", "0.125"]])
    assert LAYER in capsys.readouterr().out


@pytest.mark.parametrize(
    "doing",
    [
        "far: openvino int8 nncf-transformer: comparing with the source",
        "efficientnet-lite0-raspberry-pi-4.edgekit on local",
        "raspberry-pi-4: onnxruntime int8 of a model with a very long name: comparing with the source",
    ],
)
def test_progress_shows_what_it_is_about_and_what_is_done(
    doing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        output, "stderr", lambda: Console(file=terminal, force_terminal=True, width=80, height=20)
    )
    with output.progress("edgekit convert") as advance:
        advance(1, 2, doing)
    shown = terminal.getvalue()
    assert f"convert: {doing[:20]}" in shown
    assert doing[-20:] in shown


def test_notes_are_not_wrapped_where_nobody_reads_them_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    output.note("word " * 40)
    assert said.getvalue().count("\n") == 1
