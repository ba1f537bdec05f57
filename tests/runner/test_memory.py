"""Memory by phase against what the kernel says of a process whose peak nobody ever reset."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.devices import LocalDevice, RunnerSession
from edgekit.profiling.memory import SAMPLED, PhaseMemory
from edgekit.profiling.record import MemoryRecord
from edgekit.runner.memory import PhaseMemory as RunnerMemory
from tests.runner.bundles import conv_net, onnx_bundle
from tests.runner.kernel_peak import peak_bytes
from tests.runner.test_standalone import RUNNER

# where others take memory and processors, threads of a runtime allocate in another order and more at once
pytestmark = pytest.mark.alone
AGREES = 0.03
"""Relative, as promised: the kernel counts pages in batches per processor, and heaps differ from run to run."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 MB of activations: more than the interpreter and the runtime together."""
    return onnx_bundle(
        tmp_path_factory.mktemp("memory") / "bundle", conv_net(channels=48, layers=4, size=320)
    )


def test_peak_agrees_with_the_kernels_own(bundle: Path) -> None:
    record = _measured(bundle, keep_peaks=False)
    kernel = _kernel_peak(bundle)
    assert record.method.startswith("kernel peak of each phase")
    assert record.peak == pytest.approx(kernel, rel=AGREES)
    assert record.peak == max(record.base, record.load, record.first, record.steady)


def test_sampled_peak_agrees_too(bundle: Path) -> None:
    """Where the kernel's peak cannot be reset, the phases are sampled from outside."""
    record = _measured(bundle, keep_peaks=True)
    assert record.method == SAMPLED
    assert record.peak == pytest.approx(_kernel_peak(bundle), rel=AGREES)


def test_phases_are_told_apart(bundle: Path) -> None:
    record = _measured(bundle, keep_peaks=False)
    activations = 2 * 48 * 320 * 320 * 4
    assert record.base < record.load
    # activations are allocated by the first inference, and there are two of them at any time
    assert record.first - record.base > activations
    assert record.base < 120e6


def test_a_phase_has_its_own_peak() -> None:
    """What an earlier phase took and gave back is not the later one's."""
    memory = RunnerMemory(reset=True)
    if not memory.method.startswith("kernel peak of each phase"):
        pytest.skip("this kernel does not reset the peak")
    memory.begin()
    with memory.phase("large"):
        np.ones(12_000_000).sum()
    with memory.phase("small"):
        np.ones(1_000).sum()
    assert memory.peaks["large"] - memory.peaks["small"] > 60e6


def _measured(bundle: Path, *, keep_peaks: bool) -> MemoryRecord:
    with LocalDevice().start(bundle, threads=1, keep_peaks=keep_peaks) as session:
        memory = PhaseMemory(session)
        _phases(session, memory)
        return memory.record()


def _phases(session: RunnerSession, memory: PhaseMemory) -> None:
    with memory.phase("load"):
        session.load()
    with memory.phase("first"):
        session.run(1)
    with memory.phase("steady"):
        session.run(5)


def _kernel_peak(bundle: Path) -> int:
    """``ru_maxrss`` of a runner that does the same and never touches its peak, in bytes."""
    requests = '{"op": "load"}\n{"op": "run", "runs": 6}\n{"op": "quit"}\n'
    command = [sys.executable, "-m", "runner", "serve", str(bundle), "--keep-peaks"]
    return peak_bytes(command, cwd=RUNNER.parent, words=requests)
