"""An x86 target without VNNI as a device: this machine's own packages on an older processor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.catalog import load_catalog
from edgekit.devices.emulated import EmulatedDevice, open_emulated
from edgekit.profiling import Extent, profile
from tests.emulation.qemu import Guest
from tests.runner.bundles import conv_net, onnx_bundle

pytestmark = [pytest.mark.slow, pytest.mark.emulated]


@pytest.fixture
def older_pc(older_x86: Guest) -> EmulatedDevice:
    catalog = load_catalog()
    target = catalog.target("intel-n100").model_copy(
        update={"isa_features": ("sse4.2", "avx", "avx2", "fma", "f16c")}
    )
    return open_emulated("emulated:intel-n100", replace(catalog, targets={"intel-n100": target}))


def test_answers_and_memory_without_counts(older_pc: EmulatedDevice, tmp_path: Path) -> None:
    bundle = onnx_bundle(tmp_path / "net", conv_net())
    found = profile(bundle, older_pc, extent=Extent(runs=1))
    assert (found.kind, found.latency_ms, found.instructions) == ("emulated", None, None)
    assert found.why_no_instructions == "nothing is counted on an emulated x86"
    assert found.golden_error is not None
    assert found.golden_error < 1e-4
    assert found.memory_bytes is not None
    assert 20e6 < found.memory_bytes.peak < 120e6
    assert "less the emulator's own pages" in found.memory_bytes.method
