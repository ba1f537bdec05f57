"""A service manager hears of the first frame and of those that follow, and of nothing when none come."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.camera.frames import Frame
from edgekit.camera.pipeline import Result
from edgekit.camera.watchdog import Watchdog, watchdogs
from edgekit.contracts import Boxes
from edgekit.errors import CameraError
from tests.camera.making import Send, mjpeg_server, scenes, write_clip
from tests.camera.test_command import EDGEKIT, camera

RESULT = Result(Frame(image=np.zeros((4, 4, 3), np.uint8), index=0, time_ms=0, captured_s=0), Boxes(()))


@pytest.fixture(params=["a path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Where it listens, as NOTIFY_SOCKET says it, and what it hears with."""
    name = str(tmp_path / "notify") if request.param == "a path" else f"@edgekit-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0") if name.startswith("@") else name)
        listening.settimeout(0.2)
        yield name, listening


def heard(listening: socket.socket) -> list[str]:
    """Everything that has been said so far."""
    found = []
    while True:
        try:
            found.append(listening.recv(4096).decode())
        except TimeoutError:
            return found


def test_ready_alive_and_stopping(manager: tuple[str, socket.socket]) -> None:
    name, listening = manager
    with Watchdog(name, 0) as watchdog:
        assert heard(listening) == []
        watchdog.write(RESULT)
        watchdog.write(RESULT)
    assert heard(listening) == [
        "READY=1",
        "WATCHDOG=1\nSTATUS=1 frames",
        "WATCHDOG=1\nSTATUS=2 frames",
        "STOPPING=1\nSTATUS=2 frames",
    ]


def test_it_says_so_no_more_often_than_is_wanted(manager: tuple[str, socket.socket]) -> None:
    name, listening = manager
    with Watchdog(name, 0.2) as watchdog:
        ends_s = time.monotonic() + 0.7
        while time.monotonic() < ends_s:
            watchdog.write(RESULT)
            time.sleep(0.01)
        said = heard(listening)
    assert said[0] == "READY=1"
    assert 3 <= len(said) - 1 <= 4


def test_a_manager_that_hears_nothing_holds_up_nobody(manager: tuple[str, socket.socket]) -> None:
    name, listening = manager
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    with Watchdog(name, 0) as watchdog:
        for _ in range(5000):  # far more than the ten datagrams that wait in a socket
            watchdog.write(RESULT)


@pytest.mark.parametrize(("period", "interval_s"), [("30000000", 15.0), ("", 1.0), ("soon", 1.0)])
def test_half_of_what_the_manager_allows(
    monkeypatch: pytest.MonkeyPatch, period: str, interval_s: float
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("WATCHDOG_USEC", period)
    (found,) = watchdogs()
    assert found._interval_s == interval_s
    monkeypatch.setenv("NOTIFY_SOCKET", "")
    assert watchdogs() == []


def test_nobody_there_is_one_line(classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    clip = write_clip(tmp_path / "clip.avi", scenes(3, (64, 64)))
    done = camera("run", classifier, "--source", clip, cwd=tmp_path)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"edgekit: NOTIFY_SOCKET={tmp_path}/none: cannot be reached: No such file or directory\n"
    )
    with pytest.raises(CameraError), Watchdog("@edgekit-nobody", 1):
        pass


def test_a_stream_that_stalls_is_not_alive(classifier: Path, tmp_path: Path) -> None:
    """The whole command: frames for a while, then a connection that stays and gives nothing."""

    def serve(_: int, send: Send) -> None:
        for image in scenes(50, (64, 64)):
            send(image)
        time.sleep(6)

    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening,
        mjpeg_server(serve) as url,
    ):
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "400000",
        }
        words: list[str | Path] = [EDGEKIT, "camera", "run", classifier, "--source", url]
        with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL) as process:
            assert listening.recv(4096) == b"READY=1"
            listening.settimeout(1.2)
            said = heard(listening)
            # 50 frames at 50 a second, with a sign every .2 s; the first may have come in one bunch
            assert len(said) >= 2
            assert all(one.startswith("WATCHDOG=1\n") for one in said)
            # that was until 1.2 s without a sign, which is three times what is allowed; the process runs on
            assert process.poll() is None
            process.terminate()
            assert process.wait(30) == 0
            assert listening.recv(4096).startswith(b"STOPPING=1\n")
