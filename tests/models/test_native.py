"""Compiled code works in a process of its own: what kills that process is a sentence here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.models import native
from edgekit.models.native import run_step, run_steps
from tests.models.building import model, node, relu, untyped


def test_steps_are_answered_in_order() -> None:
    good, bad = relu().SerializeToString(), b"\xff\xff"
    first, second, third = run_steps("m.onnx", [("check", good), ("infer", bad), ("infer", good)])
    assert (first.ok, second.ok, third.ok) == (True, False, True)
    assert second.reason


def test_constants_come_back_as_they_are() -> None:
    proto = model([node("Add", "a b", "y")], [], [untyped("y", 7)], {"a": np.arange(3), "b": np.array(10)})
    answer = run_step("m.onnx", "evaluate", proto.SerializeToString())
    assert answer.ok
    assert answer.content.startswith(b"PK"), "an .npz archive"


def test_a_crash_there_is_a_sentence_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that dies as a native fault would."""
    script = tmp_path / "crashes.py"
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(native, "_SCRIPT", script)
    with pytest.raises(ModelError, match=r"^m\.onnx: .*crashed \(SIGSEGV\) at step 'infer'"):
        run_step("m.onnx", "infer", relu().SerializeToString())


def test_a_hang_there_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "hangs.py"
    script.write_text("import threading; threading.Event().wait()")
    monkeypatch.setattr(native, "_SCRIPT", script)
    monkeypatch.setattr(native, "TIMEOUT_S", 0.5)
    with pytest.raises(ModelError, match="did not end within"):
        run_step("m.onnx", "infer", relu().SerializeToString())


def test_too_much_memory_there_is_a_sentence_here() -> None:
    """96 GiB of zeros, whose shape inference does not know; the process may take 8 GiB."""
    shape = node("Mul", "a b", "s")
    proto = model([shape, node("ConstantOfShape", "s", "y")], [], [untyped("y")],
                  {"a": np.array([3, 2**10]), "b": np.array([2**13, 2**10])})  # fmt: skip
    answer = run_step("m.onnx", "evaluate", proto.SerializeToString())
    assert not answer.ok
    assert "llocat" in answer.reason


def test_nothing_of_the_current_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "struct.py").write_text("raise SystemExit('imported from the current folder')")
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert run_step("m.onnx", "check", relu().SerializeToString()).ok
