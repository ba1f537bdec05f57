"""Staging folders: gone after success, failure and death; neighbours at work are let be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.staging import REPLACED, SCRATCH, STAGING, clean_stale, move_into_place, staging_folder

HOLD = """
import sys
from pathlib import Path
from edgekit.staging import staging_folder
with staging_folder(Path(sys.argv[1])) as staging:
    (staging / "half").write_text("written")
    print(staging, flush=True)
    sys.stdin.read()
"""


def hold_staging(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that sits in the middle of staging, and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str], sign: signal.Signals) -> None:
    process.send_signal(sign)
    process.communicate()


def test_moved_content_stays_and_staging_goes(tmp_path: Path) -> None:
    with staging_folder(tmp_path) as staging:
        (staging / "made").mkdir()
        move_into_place(staging / "made", tmp_path / "final")
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), staging_folder(tmp_path) as staging:
        (staging / "half").write_text((staging / "absent").read_text())
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_wreckage_that_the_next_one_removes(tmp_path: Path) -> None:
    process, wreck = hold_staging(tmp_path)
    end(process, signal.SIGKILL)
    assert (wreck / "half").exists()
    with staging_folder(tmp_path):
        assert not wreck.exists()


def test_a_neighbour_at_work_is_let_be(tmp_path: Path) -> None:
    process, held = hold_staging(tmp_path)
    try:
        clean_stale(tmp_path)
        assert (held / "half").exists()
    finally:
        end(process, signal.SIGTERM)


def test_replacing_a_folder_leaves_the_new_one_only(tmp_path: Path) -> None:
    final = tmp_path / "bundle"
    final.mkdir()
    (final / "old").touch()
    with staging_folder(tmp_path) as staging:
        (staging / "new").touch()
        move_into_place(staging, final)
    assert [path.name for path in tmp_path.rglob("*")] == ["bundle", "new"]


def test_what_a_kill_left_aside_is_put_back(tmp_path: Path) -> None:
    aside = tmp_path / f"{REPLACED}bundle"
    aside.mkdir()
    (aside / "old").touch()
    clean_stale(tmp_path)
    assert (tmp_path / "bundle" / "old").exists()
    assert not aside.exists()


def test_staging_folders_are_recognised_by_name(tmp_path: Path) -> None:
    with staging_folder(tmp_path) as staging:
        assert staging.name.startswith(STAGING)
        assert os.access(staging, os.W_OK)


SCRATCHES = """
import sys
from edgekit.staging import Scratch
with Scratch("test") as scratch:
    (scratch / "half").write_text("written")
    print(scratch, flush=True)
    sys.stdin.read()
"""


def hold_scratch(temporary: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRATCHES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_scratch_of_the_dead_is_removed_and_that_of_the_living_is_not(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (temporary / f"{SCRATCH}link").symlink_to(elsewhere)
    (temporary / "edgekit-notes").mkdir()
    dead, wreck = hold_scratch(temporary)
    end(dead, signal.SIGKILL)
    living, held = hold_scratch(temporary)
    third, _ = hold_scratch(temporary)
    assert not wreck.exists()
    assert (held / "half").exists()
    assert elsewhere.is_dir()
    for process in (living, third):
        process.communicate()
    assert sorted(path.name for path in temporary.iterdir()) == ["edgekit-notes", f"{SCRATCH}link"]
