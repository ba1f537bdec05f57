"""Emulated machines, each made once a session; skipped with what is missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.emulation import qemu, sysroot
from tests.emulation.qemu import Guest
from tests.emulation.view import make_view

ArmGuest = Callable[[str], Guest]


@pytest.fixture(scope="session")
def older_x86() -> Guest:
    """An x86 with AVX2 and no VNNI."""
    if reason := qemu.missing("qemu-x86_64"):
        pytest.skip(reason)
    return qemu.older_x86("Haswell")


@pytest.fixture(scope="session")
def arm_guest(tmp_path_factory: pytest.TempPathFactory) -> ArmGuest:
    """A 64-bit Arm with the core asked for, and the Arm wheels of the versions installed here."""
    if reason := qemu.missing("qemu-aarch64") or sysroot.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("arm")
    root, site = sysroot.make_sysroot(folder), sysroot.unpack_wheels(folder)

    def guest(core: str) -> Guest:
        view = folder / core
        return qemu.arm(view if view.is_dir() else make_view(view, root, core), site, core)

    return guest
