"""Every way of not getting to a board, by a real ssh client and server: one line each, with the next step."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.devices import open_device
from edgekit.devices.ssh import SshDevice
from edgekit.devices.ssh_address import SshAddress
from edgekit.devices.ssh_agent import agent_command
from edgekit.errors import DeviceError
from tests.devices import boards
from tests.devices.boards import HOST, SshServer, make_key
from tests.runner.test_standalone import installed_python

NAME = f"ssh://{HOST}"


def refusal(server: SshServer, spec: str | None = None, client: tuple[str, ...] | None = None) -> str:
    """What is said instead of the board's facts."""
    board = SshDevice(SshAddress.parse(spec or server.spec()), name=NAME, client=client or server.client)
    with pytest.raises(DeviceError) as caught:
        board.facts()
    board.close()
    message = str(caught.value)
    assert message.startswith(f"{NAME}: ")
    assert "\n" not in message
    return message


@pytest.fixture
def spoiled(server: SshServer, tmp_path: Path) -> SshServer:
    """The server with a copy of the client's files, to be changed."""
    for name in ("config", "known_hosts", "user_key", "user_key.pub"):
        shutil.copy(server.folder / name, tmp_path / name)
    config = tmp_path / "config"
    config.write_text(config.read_text().replace(str(server.folder), str(tmp_path)))
    return replace(server, folder=tmp_path)


def test_a_closed_port(spoiled: SshServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        said = refusal(spoiled, f"{NAME}:{port}")
    assert "cannot be reached: connect to host 127.0.0.1 port" in said
    assert "Connection refused. Is it on, and the address right?" in said


def test_a_name_that_is_none(spoiled: SshServer) -> None:
    said = refusal(spoiled, "ssh://board.invalid")
    assert "cannot be reached: Could not resolve hostname board.invalid" in said


def test_an_unknown_host_key_is_never_accepted_unasked(spoiled: SshServer) -> None:
    spoiled.known_hosts.write_text("")
    said = refusal(spoiled)
    assert "its host key is unknown here. Connect once by hand" in said
    assert said.endswith("ssh board true")
    assert spoiled.known_hosts.read_text() == ""


def test_an_unknown_host_key_where_the_configuration_is_strict(spoiled: SshServer) -> None:
    spoiled.known_hosts.write_text("")
    with (spoiled.folder / "config").open("a") as config:
        config.write("  StrictHostKeyChecking yes\n")
    assert "its host key is unknown here" in refusal(spoiled)


def test_a_changed_host_key(spoiled: SshServer) -> None:
    make_key(spoiled.folder / "other")
    public = (spoiled.folder / "other.pub").read_text()
    spoiled.known_hosts.write_text(f"[127.0.0.1]:{spoiled.port} {public}")
    said = refusal(spoiled)
    assert "its host key is not the one that known_hosts has" in said
    assert f"ssh-keygen -R '[127.0.0.1]:{spoiled.port}'" in said


def test_a_key_that_the_board_does_not_know(spoiled: SshServer) -> None:
    (spoiled.folder / "user_key").unlink()
    (spoiled.folder / "user_key.pub").unlink()
    make_key(spoiled.folder / "user_key")
    said = refusal(spoiled)
    assert "the board refuses the login" in said
    assert said.endswith("ssh-copy-id board")


def test_a_key_with_a_passphrase_is_not_asked_for_it(spoiled: SshServer) -> None:
    (spoiled.folder / "user_key").unlink()
    (spoiled.folder / "user_key.pub").unlink()
    make_key(spoiled.folder / "user_key", passphrase="of a test")  # noqa: S106 - unlocks nothing
    assert "the board refuses the login" in refusal(spoiled)


def test_a_configuration_that_ssh_does_not_read(spoiled: SshServer) -> None:
    with (spoiled.folder / "config").open("a") as config:
        config.write("  NoSuchOption yes\n")
    assert "ssh's own configuration is wrong" in refusal(spoiled)


def test_an_interpreter_that_is_not_there(server: SshServer) -> None:
    assert refusal(server, server.spec("/nowhere/python3")).endswith("no /nowhere/python3 there")


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[tuple[SshServer, Path]]:
    """A board with a shell and nothing else, and its folder of programs."""
    if reason := boards.missing():
        pytest.skip(reason)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "mkdir"):
        (programs / name).symlink_to(shutil.which(name) or "")
    (tmp_path / "server").mkdir()
    # the login shell's own files would add to its PATH
    only = f'env -i PATH={programs} XDG_CACHE_HOME={tmp_path}/server/cache /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
    with boards.ssh_server(tmp_path / "server", f"ForceCommand exec {only}\n") as running:
        yield running, programs


def test_no_python(bare: tuple[SshServer, Path]) -> None:
    said = refusal(bare[0], NAME)
    assert said == f"{NAME}: no python3 there; on Debian: ssh board sudo apt-get install python3"


def test_a_python_that_is_too_old(bare: tuple[SshServer, Path]) -> None:
    """A real old one where this machine has one, else what one says."""
    server, programs = bare
    found = next(filter(None, (installed_python((3, minor)) for minor in (6, 7, 8))), None)
    if found is not None:
        (programs / "python3").symlink_to(found)
    else:
        (programs / "python3").write_text('#!/bin/sh\n[ "$1" = -V ] || exit 1\necho "Python 3.6.9"\n')
        (programs / "python3").chmod(0o755)
    said = refusal(server, NAME)
    assert re.search(r"needs Python 3\.9 or newer there, and found Python 3\.[678]\.\d+; name one: ", said), (
        said
    )


def test_a_home_that_cannot_be_written(bare: tuple[SshServer, Path]) -> None:
    server, _ = bare
    (server.folder / "cache").write_text("a file where the folder should be")
    assert "cannot write there" in refusal(server)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("ssh://", "'' is no host name; write it as ssh://user@host"),
        ("ssh://-oProxyCommand=x", "is no host name"),
        ("ssh://pi@bo ard", "'bo ard' is no host name"),
        ("ssh://-l@board", "'-l' is no user name"),
        ("ssh://board:ssh", "'ssh' is no port"),
        ("ssh://board:70000", "'70000' is no port"),
        ("ssh://board?pyhton=x", "'pyhton=x' is no option of this device; it takes python=…"),
        ("ssh://board?python=", "'python=' is no option"),
    ],
)
def test_an_address_that_is_none(spec: str, said: str) -> None:
    with pytest.raises(DeviceError) as caught:
        open_device(spec)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ("ssh://board", SshAddress(host="board")),
        ("ssh://pi@board.local:2222/", SshAddress(host="board.local", user="pi", port=2222)),
        ("ssh://pi@[fe80::1%eth0]:22", SshAddress(host="fe80::1%eth0", user="pi", port=22)),
        ("ssh://board?python=~/venv/bin/python", SshAddress(host="board", python="~/venv/bin/python")),
    ],
)
def test_addresses(spec: str, address: SshAddress) -> None:
    assert SshAddress.parse(spec) == address


def test_a_tilde_is_the_boards_home(server: SshServer) -> None:
    """A path may hold spaces; nothing of this name is in anybody's home."""
    command = agent_command(SshAddress(host=HOST, python="~/edgekit tests/python3"))
    assert """"$HOME"/'edgekit tests/python3'""" in command
    assert refusal(server, server.spec("~/nowhere/python3")).endswith("no ~/nowhere/python3 there")


def test_a_device_is_named_without_its_options() -> None:
    assert open_device("ssh://pi@board?python=/opt/python3").name == "ssh://pi@board"
