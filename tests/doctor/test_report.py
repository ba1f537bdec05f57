"""The whole examination, on this machine and in broken surroundings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgekit.devices import debian
from edgekit.doctor import examine
from edgekit.doctor.devices import device_findings
from edgekit.doctor.tools import catalog_findings, program_findings, telemetry_findings
from edgekit.telemetry import SWITCHED_OFF


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def test_this_machine_can_convert(tmp_path: Path) -> None:
    report = examine()
    assert report.ok
    assert report.machine
    assert report.packages["onnxruntime"]
    topics = {finding.topic for finding in report.findings}
    assert topics == {"packages", "machine", "catalog", "converter", "telemetry", "program", "device"}
    assert {"onnxruntime", "openvino", "litert"} <= {
        f.name for f in report.findings if f.topic == "converter"
    }
    assert list(tmp_path.iterdir()) == [], "the doctor changes nothing"


def test_whatever_is_not_ok_says_what_to_do() -> None:
    assert all(finding.next_step for finding in examine().findings if finding.status != "ok")


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "mine.toml").write_text("schema = 1\n")
    (finding,) = (found for found in catalog_findings() if found.name == "broken files")
    assert finding.status == "warning"
    assert "targets/mine.toml: id: missing" in finding.detail


def test_a_catalog_without_host_is_fatal_and_told_whole(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "host.toml").write_text("schema = 1\n")
    (finding,) = catalog_findings()
    assert finding.fatal
    assert "targets/host.toml: id: missing" in finding.detail
    assert not examine().ok


def test_converters_of_the_project_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "converters" / "mine"
    folder.mkdir(parents=True)
    text = (
        'schema = 1\nid = "mine"\nname = "Mine"\nsummary = "For tests"\naccepts = "onnx"\nemits = "rknn"\n'
        'runtime = "rknn"\nwaits_for = "its maker"\n[[variants]]\nprecision = "fp16"\n'
        '[environment]\nkind = "core"\nimports = ["no_such_module_anywhere"]\n'
        '[limits]\ntimeout_s = 1\nmemory_bytes = 1\n[operators]\nsupported = "all"\nsource = "none"\n'
    )
    (folder / "converter.toml").write_text(text)
    definitions, *converters = catalog_findings()
    assert "converters mine" in definitions.detail
    mine = next(finding for finding in converters if finding.name == "mine")
    assert (mine.status, mine.detail) == ("missing", "waits for its maker")
    (folder / "worker.py").touch()
    (folder / "converter.toml").write_text(text.replace('waits_for = "its maker"\n', ""))
    mine = next(finding for finding in catalog_findings() if finding.name == "mine")
    assert mine.status == "missing"
    assert "no_such_module_anywhere" in mine.detail
    assert mine.next_step == f"{sys.executable} -m pip install no-such-module-anywhere"


def test_telemetry_is_off_where_edgekit_switched_it_off() -> None:
    workers, here = telemetry_findings(SWITCHED_OFF)
    assert (workers.status, here.status) == ("ok", "ok")
    _, here = telemetry_findings({})
    assert (here.status, here.next_step) == ("warning", "export ORT_DISABLE_TELEMETRY=1")


def test_a_program_that_fetches_models_and_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    npm = next(finding for finding in program_findings() if finding.name == "npm")
    assert (npm.status, npm.next_step) == ("missing", "sudo apt-get install npm")
    assert "blazeface" in npm.detail
    assert not npm.fatal
    browser = next(finding for finding in program_findings() if finding.name == "headless browser")
    assert "optional" in browser.detail


@pytest.mark.parametrize(
    ("tool", "step"), [(None, "sudo apt-get install"), ("/usr/bin/true", "edgekit device setup vm")]
)
def test_a_virtual_board_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tool: str | None, step: str
) -> None:
    monkeypatch.setattr(debian, "find_tool", lambda name: tool)
    monkeypatch.setattr(debian, "missing", lambda: None)
    (vm,) = (finding for finding in device_findings() if finding.name == "vm:TARGET")
    assert vm.status == "missing"
    assert vm.next_step is not None
    assert vm.next_step.startswith(step)
