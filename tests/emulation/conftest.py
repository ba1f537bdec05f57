"""Emulated machines, each made once a session; skipped with what is missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgekit.devices.emulated import Emulation, set_up
from edgekit.devices.emulated.tools import check_setup
from edgekit.errors import EnvironmentSetupError
from tests.emulation import qemu
from tests.emulation.qemu import Guest

ArmGuest = Callable[[str], Guest]


@pytest.fixture(scope="session")
def older_x86() -> Guest:
    """An x86 with AVX2 and no VNNI."""
    if reason := qemu.missing("qemu-x86_64"):
        pytest.skip(reason)
    return qemu.older_x86("Haswell")


@pytest.fixture(scope="session")
def emulation() -> Emulation:
    """What ``edgekit device setup emulated`` makes, in the user's own cache: it is fetched once."""
    try:
        check_setup()
    except EnvironmentSetupError as error:
        pytest.skip(str(error))
    return set_up()


@pytest.fixture(scope="session")
def arm_guest(emulation: Emulation, tmp_path_factory: pytest.TempPathFactory) -> ArmGuest:
    """The board asked for, with the Arm wheels of the versions installed here."""
    folder = tmp_path_factory.mktemp("arm")
    return lambda board: qemu.arm(folder, emulation, board)
