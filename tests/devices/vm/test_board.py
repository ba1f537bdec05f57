"""The virtual board at work: a real arm64 kernel, reached as every board is, with as much memory as one says."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from edgekit.devices import open_device
from edgekit.devices.vm.device import VmDevice
from edgekit.devices.vm.setup import Board, set_up
from edgekit.errors import DeviceError
from edgekit.profiling import Measurement, profile
from tests.emulation.making import zoo_bundle
from tests.runner.bundles import conv_net, onnx_bundle

pytestmark = [
    pytest.mark.slow,
    pytest.mark.emulated,
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]
MB = 10**6
BOOTED = """
import time
from contextlib import closing
from edgekit.devices.vm.device import read_hardware
from edgekit.devices.vm.machine import Machine
from edgekit.devices.vm.setup import find_board

with closing(Machine(find_board(), read_hardware("vm:raspberry-pi-4?ram=256MB"), name="vm")):
    print("booted", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def efficientnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EfficientNet-Lite0 in int8 for the Raspberry Pi 4."""
    out = tmp_path_factory.mktemp("efficientnet")
    return zoo_bundle("efficientnet-lite0", "raspberry-pi-4", "litert", "int8", out).path


def measured(spec: str, bundle: Path) -> Measurement:
    with closing(open_device(spec)) as device:
        return profile(bundle, device)


def test_efficientnet_runs_on_the_boards_own_kernel(board: Board, efficientnet: Path) -> None:
    """140 M instructions under LiteRT on this core; 150 MB on a PC."""
    found = measured("vm:raspberry-pi-4", efficientnet)
    assert (found.kind, found.device) == ("emulated", "vm:raspberry-pi-4")
    assert (found.context.arch, found.context.cpu, found.context.threads) == ("aarch64", "Cortex-A72", 1)
    assert found.golden_error is not None, (
        "the golden pair was compared, and holds: a profile raises where not"
    )
    assert (found.latency_ms, found.cold_start_ms, found.warm_start_ms) == (None, None, None)
    assert found.instructions is not None
    assert 100e6 < found.instructions.total < 800e6
    memory = found.memory_bytes
    assert memory is not None
    assert 30 * MB < memory.base < memory.load <= memory.peak < 200 * MB


@pytest.mark.thorough
def test_with_a_third_of_the_memory_it_does_the_same_work(board: Board, efficientnet: Path) -> None:
    """Another kernel layout; what differs is interrupts."""
    first, again = (measured(f"vm:raspberry-pi-4{more}", efficientnet) for more in ("", "?ram=1GB"))
    assert first.instructions is not None
    assert again.instructions is not None
    assert again.instructions.total == pytest.approx(first.instructions.total, rel=1e-3)
    assert first.memory_bytes is not None
    assert again.memory_bytes is not None
    assert again.memory_bytes.peak == pytest.approx(first.memory_bytes.peak, rel=0.05)


@pytest.mark.thorough
def test_a_core_with_dot_products_needs_fewer_instructions(board: Board, efficientnet: Path) -> None:
    old, new = (
        measured(f"vm:{target}?ram=512MB", efficientnet) for target in ("raspberry-pi-4", "raspberry-pi-5")
    )
    assert (old.context.cpu, new.context.cpu) == ("Cortex-A72", "Cortex-A76")
    assert "dotprod" in new.context.isa_features
    assert "dotprod" not in old.context.isa_features
    assert old.instructions is not None
    assert new.instructions is not None
    assert new.instructions.total < 0.8 * old.instructions.total


def test_what_does_not_fit_ends_in_the_kernels_own_words(board: Board, tmp_path: Path) -> None:
    """42 MB of weights, which the runtime copies into the layout of its kernels."""
    bundle = onnx_bundle(tmp_path / "big", conv_net(channels=768, size=4))
    with pytest.raises(DeviceError) as caught:
        measured("vm:raspberry-pi-4?ram=128MB", bundle)
    said = str(caught.value)
    assert said.startswith("big on vm:raspberry-pi-4?ram=128MB: does not fit into the memory of ")
    assert "the kernel killed the runner: Out of memory: Killed process" in said
    assert "\n" not in said


@pytest.mark.thorough
def test_a_full_disk_is_one_line(board: Board, tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "big", conv_net(channels=1024, size=4))
    with closing(VmDevice("vm:raspberry-pi-4?ram=512MB")) as device:
        spare = int(device.ssh().facts()["free_bytes"]) - 20 * MB
        status, words = device.ssh().run(f"fallocate -l {spare} /root/ballast")
        assert status == 0, words
        with pytest.raises(DeviceError, match=r"the board is out of disk: \d+ MB are free") as caught:
            device.start(bundle, threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.thorough), signal.SIGKILL])
def test_it_is_switched_off_however_edgekit_ends(board: Board, how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BOOTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"booted\n"
        (emulator,) = psutil.Process(process.pid).children()
        assert "qemu" in emulator.name()
        process.send_signal(how)
    emulator.wait(10)  # raises where it lives on


def test_it_is_made_once(board: Board) -> None:
    before = board.disk.stat().st_mtime_ns
    assert set_up() == board
    assert board.disk.stat().st_mtime_ns == before
    assert sorted(path.name for path in board.folder.iterdir()) == [
        "disk", "initrd", "kernel", "key", "key.pub", "known_hosts",
    ]  # fmt: skip
    assert list(board.folder.parent.glob(".edgekit-*")) == []
