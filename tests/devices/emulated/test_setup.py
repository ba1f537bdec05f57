"""Setting up without the tools, interrupted, or not yet: one line each, and nothing half made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.devices import debian, open_device
from edgekit.devices.emulated import set_up
from edgekit.devices.emulated.plugin import make_plugin, plugin_option
from edgekit.errors import DeviceError, EnvironmentSetupError
from edgekit.staging import make_once


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with what is linked into it, and a cache of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return folder


def link(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).symlink_to("/bin/true")


def test_without_apt(tools: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentSetupError, match=r"no apt-get, apt-cache, dpkg .* use Debian or Ubuntu"):
        set_up()
    assert not (tmp_path / "cache").exists()


def test_without_keys(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link(tools, "apt-get", "apt-cache", "dpkg")
    monkeypatch.setattr(debian, "KEYRING", Path("/nowhere/keyring.gpg"))
    with pytest.raises(EnvironmentSetupError, match="sudo apt-get install debian-archive-keyring"):
        set_up()


def test_without_qemu(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link(tools, "apt-get", "apt-cache", "dpkg")
    monkeypatch.setattr(debian, "KEYRING", Path(__file__))
    words = "no qemu-aarch64 here: sudo apt-get install --no-install-recommends qemu-user"
    with pytest.raises(EnvironmentSetupError, match=words):
        set_up()
    with pytest.raises(DeviceError, match=r"no qemu-aarch64 to emulate with\. Try: sudo apt-get install"):
        open_device("emulated:raspberry-pi-4")


def test_apt_that_fails_leaves_nothing(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link(tools, "apt-cache", "dpkg", "qemu-aarch64")
    (tools / "apt-get").symlink_to("/bin/false")
    monkeypatch.setattr(debian, "KEYRING", Path(__file__))
    with pytest.raises(EnvironmentSetupError, match="Debian's packages cannot be fetched: apt-get: exit 1"):
        set_up()
    assert [path.suffix for path in (tmp_path / "cache/emulated").iterdir()] == [".lock"]


def test_a_device_before_it_is_set_up(tools: Path) -> None:
    link(tools, "qemu-aarch64")
    with pytest.raises(DeviceError, match=r"not set up .* Try: edgekit device setup emulated"):
        open_device("emulated:raspberry-pi-4")


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    final = tmp_path / "parts" / "part"

    def interrupted(made: Path, work: Path) -> None:
        made.mkdir()
        (work / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_once(final, interrupted)
    assert [path.name for path in final.parent.iterdir()] == ["part.lock"]
    make_once(final, lambda made, work: made.mkdir())
    assert final.is_dir()


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    final = tmp_path / "part"
    final.write_text("first")
    make_once(final, lambda made, work: pytest.fail("made again"))
    assert final.read_text() == "first"


def test_without_a_compiler_nothing_is_counted(tools: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentSetupError, match=r"no gcc .* sudo apt-get install .* gcc libc6-dev"):
        make_plugin(tmp_path / "plugin.so", ("qemu-aarch64", "python"), tmp_path)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_a_qemu_without_plugins_says_what_it_must_be(tmp_path: Path) -> None:
    """A static one answers -plugin with an error, as any other program does."""
    with pytest.raises(
        EnvironmentSetupError, match=r"does not count: it must be dynamically linked .* Debian 12's does"
    ):
        make_plugin(tmp_path / "plugin.so", ("/bin/false",), tmp_path)


def test_commas_in_paths_reach_the_plugin(tmp_path: Path) -> None:
    option = plugin_option(Path("/a,b/p.so"), Path("/c,d"), ((32768, 2), (1048576, 16)))
    assert option[-2:] == ("-plugin", "/a,,b/p.so,out=/c,,d,l1=32768:2,l2=1048576:16")


def test_the_command_line_tells_it_in_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path), "EDGEKIT_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "from edgekit.cli.main import main; main()", "device", "setup", "emulated"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("edgekit: emulated devices cannot be set up: no apt-get")
    assert done.stderr.count("\n") == 1
