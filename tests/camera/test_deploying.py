"""The unit is one that systemd takes, runs what was asked for, and can read what it is given."""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.camera.access import UNSEEN, Reader, check_readable, reader
from edgekit.camera.unit import Unit, command_line, variables
from edgekit.errors import CameraError
from tests.camera.making import scenes, write_clip
from tests.camera.servers import WebServer, web_server
from tests.camera.test_command import EDGEKIT, edgekit

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze; apt-get install systemd")
NEW = ("RestartSteps", "RestartMaxDelaySec")
"""Settings of systemd 254; older ones say that they do not know them."""
ODD = 'a b%c$d"e\\f'


def analyze(unit: Path, *words: str, debug: bool = False) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    level = {"SYSTEMD_LOG_LEVEL": "debug" if debug else "info", "SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0"}
    return subprocess.run(
        [ANALYZE, *words, str(unit)], capture_output=True, text=True, check=False, env={**os.environ, **level}
    )


class Deployed:
    """What was written for a bundle, a clip and a web server, all with names as odd as they may be."""

    def __init__(self, bundle: Path, folder: Path, server: WebServer) -> None:
        self.folder = folder / ODD
        self.folder.mkdir()
        shutil.copytree(bundle, self.folder / "net.edgekit")
        write_clip(folder / "clip.avi", scenes(10, (64, 64))).rename(self.folder / "clip.avi")
        self.secret = f"http://me:pa%24%22ss@127.0.0.1:{server.port}/hook"
        words: tuple[str, ...] = (
            "net.edgekit",
            "--source",
            "clip.avi",
            "--webhook",
            self.secret,
            "--every-frame",
        )
        words += ("--events", "e$1.jsonl", "--out", "seen.avi", "--user", getpass.getuser(), "--name", "door")
        self.done = edgekit("deploy", *words, "--json", cwd=self.folder)
        assert self.done.returncode == 0, self.done.stderr
        self.facts: dict[str, Any] = json.loads(self.done.stdout)
        self.unit = self.folder / "door.service"
        self.text = self.unit.read_text()
        self.server = server


@pytest.fixture(scope="module")
def deployed(classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with pytest.MonkeyPatch.context() as patch, web_server() as server:
        # the tests' own folder is one that a service does not see
        patch.setattr("edgekit.camera.access.UNSEEN", ())
        found = Deployed(classifier, tmp_path_factory.mktemp("deploy"), server)
        patch.undo()
        yield found


@needs_systemd
def test_systemd_takes_the_unit_and_finds_the_command_that_was_meant(deployed: Deployed) -> None:
    checked = analyze(deployed.unit, "verify", debug=True)
    assert checked.returncode == 0, checked.stderr
    (line,) = re.findall(r"Command Line: (.*)", checked.stdout + checked.stderr)
    # variables are replaced when it is started
    assert [word.replace("$$", "$") for word in shlex.split(line.replace(r"\$", "$"))] == deployed.facts[
        "command"
    ]
    said = analyze(deployed.unit, "verify").stderr.splitlines()
    assert [one for one in said if not any(name in one for name in NEW)] == []


@needs_systemd
def test_a_unit_that_is_wrong_would_be_found(deployed: Deployed, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.service"
    wrong.write_text(
        deployed.text.replace(str(EDGEKIT), "/none/edgekit").replace("WatchdogSec=", "WatchdogSec=soon")
    )
    said = analyze(wrong, "verify").stderr
    assert "Failed to parse sec value" in said
    assert "/none/edgekit is not executable" in said


@needs_systemd
@pytest.mark.parametrize("camera", [True, False])
def test_it_has_few_rights(deployed: Deployed, tmp_path: Path, camera: bool) -> None:
    unit = replace(plain_unit(), camera=camera)
    path = tmp_path / "plain.service"
    path.write_text(unit.text())
    # 0 to 10, where a service without any setting has 9.6: this one needs the network and a device
    checked = analyze(path, "security", "--offline=yes", "--threshold=25")
    assert checked.returncode == 0, checked.stdout[-300:]


def plain_unit() -> Unit:
    return Unit(
        name="door",
        about="edgekit: 100% of\na door \\",
        command=(str(EDGEKIT), "camera", "run"),
        user=None,
        environment="/etc/edgekit/door.env",
        camera=True,
        network=True,
        memory_max_bytes=2**28,
        memory_why="the peak of a \n[Service]\nUser=root\\",
        start_s=190,
        watchdog_s=70,
    )


def test_the_command_runs_as_the_unit_says(deployed: Deployed, tmp_path: Path) -> None:
    """What a service manager does: the folder, the variables, the socket, the command."""
    variables_file = deployed.folder / "door.env"
    script = 'set -a; . "$0"; exec "$@"'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        before = len(deployed.server.received)
        done = subprocess.run(
            ["sh", "-c", script, str(variables_file), *deployed.facts["command"]],
            cwd=tmp_path,
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert listening.recv(4096) == b"READY=1"
    assert (tmp_path / "e$1.jsonl").read_text().count("\n") == 10
    assert (tmp_path / "seen.avi").stat().st_size > 0
    assert len(deployed.server.received) - before == 12
    assert deployed.server.headers[-1]["Authorization"] == "Basic bWU6cGEkInNz"  # me:pa$"ss


def test_nothing_secret_is_in_the_unit(deployed: Deployed) -> None:
    environment = deployed.folder / "door.env"
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    assert deployed.secret in environment.read_text()
    assert "EnvironmentFile=/etc/edgekit/door.env" in deployed.text
    for text in (deployed.text, deployed.done.stdout, deployed.done.stderr):
        assert "pa%24" not in text
        assert "pa%%24" not in text
    # the trial has sent nothing
    assert not any(
        one["event"] == "started" and one["source"] == "synthetic" for one in deployed.server.received
    )


def test_memory_is_what_was_measured_and_a_margin(deployed: Deployed) -> None:
    peak, most = deployed.facts["peak_bytes"], deployed.facts["memory_max_bytes"]
    assert peak > 50e6  # OpenCV and a runtime alone take as much
    assert 1.5 * peak + 192 * 2**20 <= most < 1.5 * peak + 208 * 2**20
    assert f"\nMemoryMax={most}\n" in deployed.text
    assert "the peak of 10 frames of " in deployed.text


def test_what_is_there_is_not_replaced_unasked(deployed: Deployed) -> None:
    words = ("net.edgekit", "--source", "clip.avi", "--user", getpass.getuser(), "--name", "door")
    done = edgekit("deploy", *words, cwd=deployed.folder)
    assert done.returncode == 1
    assert "door.service: is there already; replace it with --force" in done.stderr
    assert deployed.unit.read_text() == deployed.text


def test_steps_to_install_it(deployed: Deployed) -> None:
    assert deployed.facts["install"] == [
        "sudo install -m 644 door.service /etc/systemd/system/door.service",
        "sudo install -D -m 600 door.env /etc/edgekit/door.env",
        "sudo systemctl daemon-reload && sudo systemctl enable --now door",
        "journalctl -u door -f",
    ]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("none.edgekit", "--source", "0"), 1, "it does not run here: none.edgekit: no such bundle"),
        (
            ("BUNDLE", "--source", "0", "--events", "/var/log/e.jsonl"),
            1,
            "in a folder of its own, /var/lib/NAME",
        ),
        (("BUNDLE", "--source", "0", "--name", "../door"), 1, "--name ../door: letters, digits"),
        (("BUNDLE", "--source", "0", "--mqtt", "mqtt://host/"), 2, "give --scene, or --every-frame"),
        (("BUNDLE", "--source", "0", "--mqtt", "ftp://h/", "--every-frame"), 1, "ftp://h/: no address"),
        (("BUNDLE", "--source", "0", "--threads", "0"), 2, "--threads"),
        (("BUNDLE",), 2, "--source"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(
    classifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    monkeypatch.setattr("edgekit.camera.access.UNSEEN", ())
    given = [str(classifier) if word == "BUNDLE" else word for word in words]
    done = edgekit("deploy", *given, "--user", getpass.getuser(), cwd=tmp_path)
    assert done.returncode == code
    assert told in " ".join(done.stderr.split()).replace(f"{tmp_path}/", "")
    assert code == 2 or done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.service"))


def test_a_user_has_to_be_there() -> None:
    with pytest.raises(CameraError, match="--user nobody-at-all: this machine has no such user"):
        reader("nobody-at-all")


def test_files_that_the_service_could_not_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.camera.access.UNSEEN", ())
    bundle = tmp_path / "net.edgekit"
    bundle.mkdir(mode=0o755)
    (bundle / "model.onnx").touch(0o640)
    owner = bundle.stat()
    check_readable(bundle, Reader("me", owner.st_uid, frozenset()))
    own = Reader("the service's own user", None, frozenset())
    closed = next(
        above for above in (*reversed(tmp_path.parents), tmp_path) if not above.stat().st_mode & stat.S_IXOTH
    )
    with pytest.raises(CameraError, match=f"{closed}: the service's own user may not read it"):
        check_readable(bundle, own)
    for above in (*tmp_path.parents, tmp_path):
        if above.stat().st_uid == os.getuid() and above.is_relative_to(closed):
            above.chmod(0o755)
    with pytest.raises(CameraError, match=r"model\.onnx: the service's own user may not read it"):
        check_readable(bundle, own)
    check_readable(bundle, Reader("of the group", None, frozenset({owner.st_gid})))
    (bundle / "model.onnx").chmod(0o644)
    check_readable(bundle, own)


def test_a_service_does_not_see_the_machines_temporary_files() -> None:
    with pytest.raises(CameraError, match="a service does not see /tmp"):
        check_readable(UNSEEN[0] / "net.edgekit", reader(None))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("/a/b", "x"), "/a/b x"),
        (("/a b/$c%d", "e"), '"/a b/$c%%d" e'),
        (("/a", "--out", "$x%y", "--track"), '/a \\\n  --out "$$x%%y" \\\n  --track'),
        (("/a", "", ";", "it's"), '/a "" ";" "it\'s"'),
        (("/a", 'q"\\\n'), '/a "q\\"\\\\\\n"'),
    ],
)
def test_words_are_quoted_as_systemd_reads_them(words: tuple[str, ...], line: str) -> None:
    assert command_line(words) == line


def test_what_is_said_of_it_stays_on_its_line() -> None:
    text = plain_unit().text()
    assert "\nDescription=edgekit: 100%% of a door\n" in text
    assert "\n# the peak of a [Service] User=root\nMemoryMax=" in text


def test_variables_are_read_back_as_they_were(tmp_path: Path) -> None:
    value = "mqtt://me:a$b`c\"d\\e'f@host/ü"
    (tmp_path / "x.env").write_text(variables({"EDGEKIT_MQTT": value}))
    script = '. "$0"; printf %s "$EDGEKIT_MQTT"'
    words = ["sh", "-c", script, str(tmp_path / "x.env")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == value
