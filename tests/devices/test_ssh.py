"""A board over ssh, by a real ssh server: same answers, same record, nothing left behind however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from edgekit.devices import LocalDevice, board_agent
from edgekit.devices.ssh import SshDevice
from edgekit.devices.ssh_address import SshAddress
from edgekit.devices.ssh_agent import owner
from edgekit.errors import DeviceError
from edgekit.profiling import Extent, profile
from tests.devices.boards import HOST, SshServer
from tests.runner.bundles import conv_net, image, onnx_bundle

STARTED = """
import sys
from pathlib import Path
from edgekit.devices.ssh import SshDevice
from edgekit.devices.ssh_address import SshAddress

device = SshDevice(SshAddress.parse(sys.argv[2]), name="board", client=sys.argv[3:])
try:
    with device.start(Path(sys.argv[1]), threads=1) as session:
        session.load()
        session.process.write_line('{"op": "run", "runs": 1000000}')
        print("running", flush=True)
        session.process.read_line(1000)
finally:
    device.close()
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("device") / "net", conv_net())


def open_board(server: SshServer, told: Callable[[str], None] | None = None) -> SshDevice:
    return SshDevice(SshAddress.parse(server.spec()), name=f"ssh://{HOST}", client=server.client, told=told)


def work_folders(server: SshServer) -> list[str]:
    return sorted(path.name for path in server.root.glob(f"{board_agent.WORK}*"))


def wait_until(reached: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "not reached in time"
        time.sleep(0.05)


def runners(server: SshServer) -> list[psutil.Process]:
    """Of this board, by its folder in their arguments."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "runner" in words and any(word.startswith(f"{server.root}/") for word in words):
            found.append(process)
    return found


def test_answers_as_here(server: SshServer, bundle: Path) -> None:
    board = open_board(server)
    answers = []
    for device in (board, LocalDevice()):
        with device.start(bundle, threads=1) as session:
            session.load()
            assert session.golden().reproduced
            answers.append(session.infer([{"image": image()}, {"image": -image()}]))
    assert board.threads == board.facts()["cores"] == LocalDevice().threads
    board.close()
    for there, here in zip(*answers, strict=True):
        np.testing.assert_array_equal(there["scores"], here["scores"])


def test_profile_gives_the_same_record_as_here(server: SshServer, bundle: Path) -> None:
    board = open_board(server)
    extent = Extent(runs=40, processes=2)
    there, here = profile(bundle, board, extent=extent), profile(bundle, LocalDevice(), extent=extent)
    board.close()
    assert (there.device, there.kind) == (f"ssh://{HOST}", "measured")
    assert there.latency_ms is not None
    assert there.latency_ms.samples == 40
    assert there.golden_error == 0.0
    # one machine in truth: what differs are moments, not facts
    moment = {"load_average_1m": None, "temperature_c": None}
    assert there.context.model_copy(update=moment) == here.context.model_copy(update=moment)
    assert there.context.arch == os.uname().machine
    assert there.context.libc is not None
    assert there.context.ram_bytes == psutil.virtual_memory().total
    assert {row.name for row in there.operators} == {row.name for row in here.operators}
    # the same program and files; the layout of two processes differs by 1 % at most
    assert there.memory_bytes is not None
    assert here.memory_bytes is not None
    assert there.memory_bytes.peak == pytest.approx(here.memory_bytes.peak, rel=0.05)
    assert there.cold_start_ms is not None
    assert there.load_ms is not None
    assert there.cold_start_ms > there.load_ms > 0


def test_a_cold_start_is_without_the_way_there(server: SshServer, bundle: Path) -> None:
    """The board tells how old the runner is, by a clock of 10 ms steps."""
    board = open_board(server)
    with board.start(bundle, threads=1) as session:
        waited = time.perf_counter()
        session.load()
        first = session.timed_runs(1)
        here_ms = (time.perf_counter() - session.process.started) * 1000
        assert 0 < first.age_ms <= here_ms + 10
        assert first.age_ms >= (time.perf_counter() - waited) * 1000 - 10
    board.close()


def test_bundle_and_runner_are_sent_once(server: SshServer, bundle: Path) -> None:
    board = open_board(server)
    for _ in range(2):
        with board.start(bundle, threads=1) as session:
            session.load()
    (work,) = work_folders(server)
    sent = sorted(path.name for path in (server.root / work).iterdir())
    assert sent == ["agent.pid", "sent-0", "sent-1"], "and the folders of sessions are gone"
    board.close()
    assert work_folders(server) == []


def test_the_runner_sees_a_scrubbed_environment(server: SshServer, bundle: Path) -> None:
    board = open_board(server)
    with board.start(bundle, threads=1) as session:
        session.load()
        (runner,) = runners(server)
        environment = runner.environ()
        home = Path(environment["HOME"])
        assert environment["ORT_DISABLE_TELEMETRY"] == "1"
        assert (home / "intel" / "openvino_telemetry").read_text() == "0"
        assert "SSH_CONNECTION" not in environment
        assert "LD_LIBRARY_PATH" not in environment, "this machine's libraries are not the board's"
        assert server.root in home.parents
    board.close()


def test_a_killed_runner_is_one_line(server: SshServer, bundle: Path) -> None:
    board = open_board(server)
    with board.start(bundle, threads=1) as session:
        session.load()
        (runner,) = runners(server)
        session.process.write_line('{"op": "run", "runs": 1000000}')
        runner.kill()
        with pytest.raises(
            DeviceError, match=r"net on ssh://board: the runner was killed \(SIGKILL\)"
        ) as caught:
            session.run(1)
    assert "\n" not in str(caught.value)
    with board.start(bundle, threads=1) as session:
        session.load()  # the connection stands, and the next one works
    board.close()


def test_a_runner_that_fails_says_why(server: SshServer, bundle: Path, tmp_path: Path) -> None:
    board = open_board(server)
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in bundle.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "model.onnx").write_bytes(b"no model")
    with board.start(broken, threads=1) as session, pytest.raises(DeviceError, match="absent or changed"):
        session.load()
    board.close()


def test_a_lost_connection_is_one_line_and_the_board_cleans_up(server: SshServer, bundle: Path) -> None:
    board = open_board(server)
    with board.start(bundle, threads=1) as session:
        session.load()
        session.process.write_line('{"op": "run", "runs": 1000000}')
        server.hang_up()
        with pytest.raises(
            DeviceError, match=r"ssh://board: the connection was lost .*removed at the next"
        ) as caught:
            session.process.read_line(30)
    assert "\n" not in str(caught.value)
    board.close()
    wait_until(lambda: work_folders(server) == [] and runners(server) == [])


def test_the_next_connection_names_and_removes_what_a_dead_agent_left(
    server: SshServer, bundle: Path
) -> None:
    board = open_board(server)
    with board.start(bundle, threads=1):
        (work,) = work_folders(server)
        # as by a power cut
        os.kill(int((server.root / work / board_agent.AGENT_PID).read_text()), signal.SIGKILL)
        server.hang_up()
    board.close()
    assert work_folders(server) == [work]
    heard: list[str] = []
    again = open_board(server, heard.append)
    again.facts()
    assert [work in line for line in heard] == [True]
    again.close()
    assert work_folders(server) == []


def test_an_agent_whose_edgekit_is_gone_is_ended(server: SshServer) -> None:
    """The board has not noticed yet that the connection broke: the agent lives on and holds its folder."""
    mark = owner().partition("-")[0]
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(server.root.parent)}
    command = [sys.executable, board_agent.__file__, f"{mark}-{int(ended.stdout)}"]
    heard: list[str] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as agent:
        assert agent.stdout is not None
        agent.stdout.readline()
        (work,) = work_folders(server)
        board = open_board(server, heard.append)
        board.facts()
        assert agent.wait(10) == -signal.SIGKILL
    assert [work in line for line in heard] == [True]
    board.close()
    assert work_folders(server) == []


def test_another_edgekit_at_work_is_left_alone(server: SshServer, bundle: Path) -> None:
    first, second = open_board(server), open_board(server)
    with first.start(bundle, threads=1) as session:
        second.facts()
        assert len(work_folders(server)) == 2
        second.close()
        session.load()
        assert session.golden().reproduced
    first.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_edgekit_leaves_nothing(server: SshServer, bundle: Path, how: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED, str(bundle), server.spec(), *server.client],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"running\n"
        # an earlier test's may be on their way out
        wait_until(lambda: len(work_folders(server)) == len(runners(server)) == 1)
        process.send_signal(how)
        process.communicate(timeout=30)
    finally:
        process.kill()
    wait_until(lambda: work_folders(server) == [] and runners(server) == [])


def test_one_command_prints_board_and_machine_in_one_table(
    server: SshServer, bundle: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "PATH": server.put_first_on_path(tmp_path / "bin"), "COLUMNS": "80"}
    command = [
        sys.executable,
        "-c",
        "from edgekit.cli.main import main; main()",
        "profile",
        str(bundle),
        "--on",
        server.spec(),
        "--on",
        "local",
        "--runs",
        "10",
    ]
    out = tmp_path / "both.json"
    done = subprocess.run(
        [*command, "-o", str(out)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if "measured" in line]
    assert [row[:2] for row in rows[:2]] == [["ssh://board", "measured"], ["local", "measured"]]
    kept = json.loads(out.read_text())["measurements"]
    assert [row["device"] for row in kept] == ["ssh://board", "local"]
    assert max(map(len, done.stdout.splitlines())) <= 80
