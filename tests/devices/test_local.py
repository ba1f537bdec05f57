"""This machine as a device: conversation, failures that end as one error, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from edgekit.devices import LocalDevice, open_device
from edgekit.errors import DeviceError
from tests.runner.bundles import conv_net, onnx_bundle

LONG = 1_000_000
"""More inferences than anybody waits for."""
STARTED = """
import sys
from pathlib import Path
from edgekit.devices import LocalDevice

with LocalDevice().start(Path(sys.argv[1]), threads=1) as session:
    session.load()
    session.process.write_line('{"op": "run", "runs": 1000000}')
    print(session.process.pid, flush=True)
    session.process.read_line(1000)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("device") / "net", conv_net())


def test_opens_by_name() -> None:
    device = open_device("local")
    assert (device.name, device.kind) == ("local", "measured")


def test_an_unknown_device_says_what_there_is() -> None:
    with pytest.raises(DeviceError, match=r"'lokal': no such device. Known: local"):
        open_device("lokal")
    with pytest.raises(DeviceError, match="edgekit estimate MODEL --on predicted:rk3588"):
        open_device("predicted:rk3588")


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"holds no manifest\.json"):
        LocalDevice().start(tmp_path, threads=1)


def test_the_runner_sees_a_scrubbed_environment(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    with LocalDevice().start(bundle, threads=1) as session:
        assert session.process.pid is not None
        environment = psutil.Process(session.process.pid).environ()
        home = Path(environment["HOME"])
        assert environment["ORT_DISABLE_TELEMETRY"] == "1"
        assert (home / "intel" / "openvino_telemetry").read_text() == "0"
        assert "SECRET_TOKEN" not in environment
        assert "PYTHONDONTWRITEBYTECODE" not in environment, "each start would compile the runtime's Python"
        assert home != Path.home()
    assert not home.exists()


def test_the_runner_is_in_a_group_of_its_own(bundle: Path) -> None:
    """Ctrl-C in a terminal goes to the whole foreground group; the runner must not get it."""
    with LocalDevice().start(bundle, threads=1) as session:
        assert session.process.pid is not None
        assert os.getpgid(session.process.pid) == session.process.pid != os.getpgid(0)


def test_a_killed_runner_is_one_error_that_says_how(bundle: Path) -> None:
    with LocalDevice().start(bundle, threads=1) as session:
        session.load()
        assert session.process.pid is not None
        os.kill(session.process.pid, signal.SIGKILL)
        with pytest.raises(DeviceError, match=r"net on local: the runner ended unexpectedly \(SIGKILL\)"):
            session.run(1)
        with pytest.raises(DeviceError, match="the session is closed"):
            session.run(1)


def test_a_crash_shows_the_last_words(bundle: Path, tmp_path: Path) -> None:
    """An interpreter that has no numpy fails on its import."""
    alone = tmp_path / "python"
    alone.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    alone.chmod(0o755)
    with pytest.raises(DeviceError, match="No module named 'numpy'"):
        LocalDevice(python=alone).start(bundle, threads=1)


def test_a_runner_that_hangs_is_stopped(bundle: Path) -> None:
    with LocalDevice().start(bundle, threads=1) as session:
        session.load()
        assert session.process.pid is not None
        process = psutil.Process(session.process.pid)
        with pytest.raises(DeviceError, match="did not answer within 0 s and was stopped"):
            session.request({"op": "run", "runs": LONG}, timeout_s=0.2)
        assert not process.is_running()


def test_an_error_in_between_leaves_the_session_usable(bundle: Path) -> None:
    with LocalDevice().start(bundle, threads=1) as session:
        with pytest.raises(DeviceError, match="net on local: load first"):
            session.run(1)
        session.load()
        assert len(session.run(2)) == 2


def test_ctrl_c_leaves_no_runner_behind(bundle: Path) -> None:
    _end_and_expect_no_runner(bundle, signal.SIGINT)


def test_a_killed_edgekit_leaves_no_runner_behind(bundle: Path) -> None:
    """Nothing of edgekit runs any more: the runner itself sees that nobody listens."""
    _end_and_expect_no_runner(bundle, signal.SIGKILL)


def _end_and_expect_no_runner(bundle: Path, how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTED, str(bundle)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        runner = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(how)
        parent.wait(timeout=30)
        _, alive = psutil.wait_procs([runner], timeout=40)
    assert alive == []
