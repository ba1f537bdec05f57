"""The runtime on a board that lacks it: which wheels fit its Python, sent from here and kept there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices.ssh import SshDevice
from edgekit.devices.ssh_address import SshAddress
from edgekit.devices.ssh_packages import Interpreter, download_wheels
from edgekit.errors import DeviceError
from tests.devices.boards import HOST, SshServer
from tests.runner.bundles import onnx_bundle

PI_OS: dict[str, Any] = {"arch": "aarch64", "bits": 64, "python": "3.11.2", "libc": "glibc 2.36"}


@pytest.mark.parametrize(
    ("facts", "interpreter"),
    [
        ({}, Interpreter(version="3.11", arch="aarch64", glibc_minor=36)),
        # a 32-bit system on a 64-bit kernel, as Raspberry Pi OS was for years
        ({"bits": 32}, Interpreter(version="3.11", arch="armv7l", glibc_minor=36)),
        ({"arch": "x86_64"}, Interpreter(version="3.11", arch="x86_64", glibc_minor=36)),
        (
            {"python": "3.9.2", "libc": "glibc 2.31"},
            Interpreter(version="3.9", arch="aarch64", glibc_minor=31),
        ),
        ({"libc": ""}, None),
        ({"libc": "musl 1.2.5"}, None),
    ],
)
def test_interpreters(facts: dict[str, Any], interpreter: Interpreter | None) -> None:
    assert Interpreter.of({**PI_OS, **facts}) == interpreter


def test_no_wheel_for_a_newer_c_library_is_asked_for() -> None:
    platforms = Interpreter(version="3.9", arch="aarch64", glibc_minor=31).platforms
    assert platforms[0] == "manylinux_2_31_aarch64"
    assert "manylinux_2_17_aarch64" in platforms
    assert not [tag for tag in platforms if "x86" in tag or "2_35" in tag]


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """An interpreter without any package, pip included."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    return tmp_path / "venv/bin/python"


@pytest.mark.network
@pytest.mark.slow
def test_wheels_are_sent_once_and_kept(server: SshServer, bare_python: Path, tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "net")
    heard: list[str] = []
    for _ in range(2):
        address = SshAddress.parse(server.spec(str(bare_python)))
        board = SshDevice(address, name=f"ssh://{HOST}", client=server.client, told=heard.append)
        with board.start(bundle, threads=1) as session:
            session.load()
            assert session.golden().reproduced
        board.close()
    sent = [line for line in heard if "has no" in line]
    assert len(sent) == 1, "the second time they are there"
    assert "sending numpy-" in sent[0]
    assert "fetched here" in sent[0]
    (kept,) = server.root.glob("site-*")
    assert sorted(path.name for path in server.root.iterdir()) == [kept.name]
    assert list((kept / "numpy").rglob("__init__.*.pyc")), "compiled, as an installer does"


@pytest.mark.network
def test_no_wheel_for_a_processor() -> None:
    """onnxruntime has none for 32-bit Arm."""
    refusal = download_wheels(
        ["onnxruntime"], Interpreter(version="3.11", arch="armv7l", glibc_minor=36), Path("unused")
    )
    assert refusal is not None
    assert "No matching distribution found for onnxruntime" in refusal


def test_neither_here_nor_there(
    server: SshServer, bare_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No registry can be asked, and the board has neither pip nor what another test has sent."""
    shutil.rmtree(server.root, ignore_errors=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    address = SshAddress.parse(server.spec(str(bare_python)))
    board = SshDevice(address, name=f"ssh://{HOST}", client=server.client)
    with pytest.raises(DeviceError) as caught:
        board.start(onnx_bundle(tmp_path / "net"), threads=1)
    board.close()
    said = str(caught.value)
    assert (
        f"ssh://{HOST}: no onnxruntime for Python {sys.version_info.major}.{sys.version_info.minor} on "
        in said
    )
    assert "Install it there by hand" in said
    assert "\n" not in said


def test_a_board_of_another_architecture_is_noted(server: SshServer, tmp_path: Path) -> None:
    import platform

    other = "raspberry-pi-4" if platform.machine() == "x86_64" else "intel-n100"
    bundle = onnx_bundle(tmp_path / "net")
    manifest = bundle / "manifest.json"
    text = manifest.read_text()
    assert '"target":"host"' in text
    manifest.write_text(text.replace('"target":"host"', f'"target":"{other}"'))
    heard: list[str] = []
    board = SshDevice(
        SshAddress.parse(server.spec()), name=f"ssh://{HOST}", client=server.client, told=heard.append
    )
    for _ in range(2):
        with board.start(bundle, threads=1) as session:
            session.load()
    board.close()
    assert len(heard) == 1
    assert f"net was made for {other}" in heard[0]
    assert f"is {platform.machine()}" in heard[0]
