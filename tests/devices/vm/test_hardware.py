"""What ``vm:<target>`` stands for, and what is said where it stands for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.catalog import load_catalog
from edgekit.devices import debian, open_device
from edgekit.devices.vm import setup
from edgekit.devices.vm.device import VmDevice, read_hardware
from edgekit.devices.vm.machine import Hardware
from edgekit.errors import CatalogError, DeviceError, EnvironmentSetupError
from tests.runner.bundles import onnx_bundle

GB = 2**30
WITHOUT = frozenset({"atlas-200i-a2"})
"""Arm boards whose cores no emulator knows."""


@pytest.mark.parametrize(
    ("spec", "hardware"),
    [
        ("vm:raspberry-pi-4", Hardware(core="cortex-a72", ram_bytes=4 * GB)),
        ("vm:raspberry-pi-5?ram=256MB", Hardware(core="cortex-a76", ram_bytes=256_000_000)),
        ("vm:rk3588?ram=1.5GiB", Hardware(core="cortex-a76", ram_bytes=3 * GB // 2)),
        ("vm:jetson-orin-cpu?ram=512MiB", Hardware(core="cortex-a78ae", ram_bytes=512 * 2**20)),
    ],
)
def test_core_and_memory_are_the_targets(spec: str, hardware: Hardware) -> None:
    assert read_hardware(spec) == hardware


def test_every_arm_target_is_a_board_or_says_why_not() -> None:
    for target in load_catalog().targets.values():
        if target.arch != "aarch64" or target.id in WITHOUT:
            with pytest.raises(DeviceError, match=r"no QEMU emulates its core|a 64-bit Arm one"):
                read_hardware(f"vm:{target.id}")
        else:
            assert read_hardware(f"vm:{target.id}").core.startswith(("cortex-", "neoverse-"))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("vm:raspberry-pi-4?ram=much", "'much' is no amount of memory; write such as"),
        ("vm:raspberry-pi-4?mem=1GB", "'mem=1GB' is no option of this device; it takes ram=…"),
        ("vm:intel-n100", "the virtual board is a 64-bit Arm one, intel-n100 is x86_64"),
        ("vm:atlas-200i-a2", "no QEMU emulates its core, TAISHANV200M"),
    ],
)
def test_what_is_no_virtual_board(spec: str, said: str) -> None:
    with pytest.raises(DeviceError) as caught:
        open_device(spec)
    assert said in str(caught.value)


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(CatalogError, match="raspberry-pi-6"):
        open_device("vm:raspberry-pi-6")


def test_without_the_tools_the_command_that_gets_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(debian, "find_tool", lambda name: None)
    with pytest.raises(
        EnvironmentSetupError, match=r"no qemu-system-aarch64, mke2fs.*apt-get install .*qemu-system-arm"
    ):
        setup.set_up()
    device = VmDevice("vm:raspberry-pi-4")
    with pytest.raises(DeviceError, match="the virtual board cannot run: no qemu-system-aarch64"):
        device.start(onnx_bundle(tmp_path / "net"), threads=1)
    device.close()


def test_what_is_not_set_up_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(setup, "missing_tools", lambda: None)
    with pytest.raises(DeviceError, match="is not set up: edgekit device setup vm"):
        setup.find_board()
    (tmp_path / "cache/devices/vm-older").mkdir(parents=True)
    with pytest.raises(
        DeviceError, match="made with other versions of the runtimes: edgekit device setup vm"
    ):
        setup.find_board()
