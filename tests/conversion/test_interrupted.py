"""A run that is killed or interrupted leaves no half bundle, no worker, and work that the next run reuses."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from edgekit.bundles import read_bundle
from edgekit.bundles.verify import verify_bundle
from edgekit.devices import LocalDevice
from edgekit.staging import STAGING
from tests.conversion.bad_workers import waiting
from tests.conversion.project import ELSEWHERE, INT8, write_converter, write_target
from tests.conversion.stripes import write_classifier, write_images

EDGEKIT = Path(sys.executable).with_name("edgekit")
PATIENCE_S = 120


@dataclass(frozen=True)
class Room:
    """A project whose converter 'waits' tells when it has begun and waits until it may go on."""

    folder: Path
    model: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def start(self) -> subprocess.Popen[str]:
        photos = str(self.model.parent / "photos")
        command = [
            str(EDGEKIT),
            "convert",
            str(self.model),
            "-t",
            "far",
            "--calib",
            photos,
            "-o",
            "out",
            "--json",
        ]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder
        )

    def worker(self) -> psutil.Process:
        """Wait until the worker has begun; its process."""
        pipe = os.open(self.folder / "started", os.O_RDONLY | os.O_NONBLOCK)
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        assert poll.poll(PATIENCE_S * 1000), "the worker was never started"
        process = psutil.Process(int(os.read(pipe, 100)))
        os.close(pipe)
        return process

    def bundles(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir() if not path.name.startswith(STAGING))


@pytest.fixture
def room(project: Path, tmp_path: Path) -> Room:
    model = write_classifier(tmp_path / "model", width=8)
    write_images(tmp_path / "model" / "photos", 8, seed=5, labelled=False)
    os.mkfifo(project / "started")
    code = waiting(str(project / "started"), str(project / "go"))
    write_converter(project, "waits", INT8, worker=code)
    write_target(project, "far", arch=ELSEWHERE)
    return Room(project, model)


def test_killed_in_the_middle_and_run_again(room: Room) -> None:
    run = room.start()
    worker = room.worker()
    run.kill()
    run.communicate()
    assert psutil.wait_procs([worker], timeout=PATIENCE_S)[1] == [], "the worker outlived edgekit"
    assert room.bundles() == []

    (room.folder / "go").touch()
    again = room.start()
    facts = json.loads(again.communicate(timeout=PATIENCE_S)[0])
    assert again.returncode == 0
    assert facts["reused_steps"] > 0, "what the killed run had finished was made again"
    assert [path.name for path in room.out.iterdir()] == ["stripes-far.edgekit"]
    assert verify_bundle(read_bundle(room.out / "stripes-far.edgekit"), LocalDevice()).ok


def test_interrupted_by_the_user(room: Room, tmp_path: Path) -> None:
    run = room.start()
    worker = room.worker()
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    assert said.splitlines()[-1] == (
        "edgekit: interrupted; finished steps are kept, the same command goes on from there"
    )
    assert "Traceback" not in said
    assert psutil.wait_procs([worker], timeout=PATIENCE_S)[1] == []
    assert list(room.out.iterdir()) == []
    assert list((tmp_path / "cache" / "work").iterdir()) == []
