"""``edgekit device test`` as a user types it: a bundle on this machine, and on cores that are emulated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices.emulated import Emulation
from tests.emulation.conftest import emulation, older_x86
from tests.emulation.qemu import Guest
from tests.runner.bundles import conv_net, onnx_bundle

__all__ = ["emulation", "older_x86"]
EDGEKIT = Path(sys.executable).with_name("edgekit")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return onnx_bundle(tmp_path / "net", conv_net())


def device_test(bundle: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(EDGEKIT), "device", "test", str(bundle), *words],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "80"},
        check=False,
    )


def facts(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def test_this_machine_answers_as_it_did(bundle: Path) -> None:
    done = device_test(bundle, "--on", "local", "--json")
    assert done.returncode == 0, done.stderr
    found = facts(done)
    (here,) = found["devices"]
    assert found["ok"]
    assert (here["device"], here["kind"], here["loads"], here["holds"]) == ("local", "measured", True, True)
    assert here["golden"]["equal_share"] == 1
    assert here["instructions"] is None
    assert here["core"]


def test_what_fails_is_in_the_table_and_exits_with_1(bundle: Path) -> None:
    (artifact,) = bundle.rglob("*.onnx")
    artifact.write_bytes(b"no model")
    done = device_test(bundle, "--on", "local")
    assert done.returncode == 1
    assert "no load" in done.stdout
    assert "changed" in done.stdout
    assert done.stderr.splitlines()[-1].endswith("does not hold on local")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_an_unknown_core_is_one_line(bundle: Path) -> None:
    done = device_test(bundle, "--on", "emulated:cortex-a35")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.slow
@pytest.mark.emulated
def test_where_it_is_not_meant_for_it_may_fail(bundle: Path, emulation: Emulation) -> None:
    """A bundle for a Raspberry Pi 4, an A72, that loads nowhere."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["target"] = "raspberry-pi-4"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    (artifact,) = bundle.rglob("*.onnx")
    artifact.write_bytes(b"no model")
    done = device_test(bundle, "--json")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("does not hold on emulated:cortex-a72")
    assert "does not hold on local, emulated:haswell, emulated:cortex-a53, emulated:cortex-a76" in done.stderr
    assert done.stderr.count("not for other processors than raspberry-pi-4's") == 1
    done = device_test(bundle, "--on", "emulated:cortex-a53")
    assert done.returncode == 1


@pytest.mark.slow
@pytest.mark.emulated
@pytest.mark.network
def test_every_core(bundle: Path, emulation: Emulation, older_x86: Guest) -> None:
    done = device_test(bundle)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    rows = [line.split() for line in done.stdout.splitlines()]
    found = {row[0]: row for row in rows if len(row) > 4 and row[0].startswith(("local", "emulated:"))}
    cores = ("haswell", "cortex-a53", "cortex-a72", "cortex-a76")
    assert found.keys() == {"local", *(f"emulated:{core}" for core in cores)}
    assert {row[2] for row in found.values()} == {"holds"}
    assert found["emulated:haswell"][1] == "saturating"
    assert found["emulated:cortex-a53"][1] == "exact"
    if emulation.plugin:
        # fused multiply-adds and loads of a net of a hundred thousand MACs
        assert float(found["emulated:cortex-a72"][-1]) > 0.02
